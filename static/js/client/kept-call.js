// A call that outlives its page: what is to be known of it after a reload, which
// the server grants ten seconds. Of this tab alone, and written at its very end,
// so that a copy of the tab does not take the call for its own.

const KEY = 'hereabouts.call';

/** @param {import('./call.js').Call|null} call @param {string} selfId who is in it */
export function keepCall(call, selfId) {
  if (!call?.lasts) return;
  const { id, direction, type, relayOnly, remoteUser, startedAt, state, microphoneOn, cameraOn } = call;
  const answered = !(state === 'dialing' || state === 'ringing');
  sessionStorage.setItem(KEY, JSON.stringify({
    selfId, id, direction, type, relayOnly, remoteUser, startedAt, answered, microphoneOn, cameraOn,
  }));
}

/** @param {string} selfId @returns {object|null} what was kept of a call of this user, once */
export function takeKeptCall(selfId) {
  const kept = JSON.parse(sessionStorage.getItem(KEY));
  sessionStorage.removeItem(KEY);
  return kept?.selfId === selfId ? kept : null;
}
