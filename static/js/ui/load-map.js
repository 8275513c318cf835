// The map and its renderer are the largest part of the page, and nobody who signs in needs them yet: they come after the
// sign-in card is there.

let loading = null;

/** @returns {Promise<typeof import('../map/map.js')>} loads once, and again if that failed */
export function loadMap() {
  loading ??= import('../map/map.js').catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}
