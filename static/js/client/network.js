// When this machine may have come to another network.

/**
 * @param {() => void} changed
 * @returns {() => void} stops watching
 */
export function watchNetwork(changed) {
  const { connection } = navigator; // not in every browser
  let type = connection?.type;
  // It also tells of every new estimate of its speed.
  const check = () => {
    if (connection.type === type) return;
    type = connection.type;
    if (type !== 'none') changed();
  };
  globalThis.addEventListener('online', changed);
  connection?.addEventListener('change', check);
  return () => {
    globalThis.removeEventListener('online', changed);
    connection?.removeEventListener('change', check);
  };
}
