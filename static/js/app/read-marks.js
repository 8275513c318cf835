// How far others have read, remembered in this browser.
//
// The server tells of reading once, as it happens, and has no list of it; so
// that ticks survive a reload, what was told is kept here, for each user and
// room, for the rooms where something was read most recently.

const MOST_ROOMS = 100;
const MOST_READERS = 50; // of a room: those who have read furthest

export class ReadMarks {
  #prefix;

  /** @param {string} selfId  whose rooms they are */
  constructor(selfId) {
    this.#prefix = `hereabouts.read.${selfId}.`;
  }

  /** @returns {Map<string, number>} user_id → seq */
  of(roomId) {
    return new Map(Object.entries(parse(localStorage.getItem(this.#prefix + roomId)).marks));
  }

  /** @param {string} roomId @param {Map<string, number>} readBy */
  keep(roomId, readBy) {
    const key = this.#prefix + roomId;
    if (localStorage.getItem(key) === null) this.#makeRoom();
    const furthest = [...readBy].sort(([, a], [, b]) => b - a).slice(0, MOST_READERS);
    try {
      localStorage.setItem(key, JSON.stringify({ at: Date.now(), marks: Object.fromEntries(furthest) }));
    } catch (error) {
      // A full storage costs ticks after a reload, and nothing now.
      console.info('read marks not kept:', error.message);
    }
  }

  forget(roomId) {
    localStorage.removeItem(this.#prefix + roomId);
  }

  #makeRoom() {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.#prefix));
    const byAge = keys.map((key) => ({ key, at: parse(localStorage.getItem(key)).at })).sort((a, b) => a.at - b.at);
    for (const { key } of byAge.slice(0, Math.max(0, keys.length - MOST_ROOMS + 1))) localStorage.removeItem(key);
  }
}

/** What is not there, or was written by something else, is nothing known. */
function parse(text) {
  try {
    const { at, marks } = JSON.parse(text);
    return { at, marks: marks ?? {} };
  } catch {
    return { at: 0, marks: {} };
  }
}
