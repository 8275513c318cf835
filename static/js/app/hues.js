// A colour for each person and land: the same at each visit, save where two
// who stand near each other would share one. Then whoever came later takes another.

export const HUES = 10;

const given = new Map(); // id → hue

/** @returns {number} `--hue-N` in tokens.css */
export function hueOf(id) {
  return given.get(id) ?? ownHue(id);
}

/**
 * Gives those who are together different colours, as far as there are enough.
 * @param {string[]} ids  those who keep theirs first
 */
export function keepApart(ids) {
  const taken = new Set();
  for (const id of ids) {
    let hue = hueOf(id);
    if (taken.has(hue) && taken.size < HUES) {
      // Those far down the list are many; a colour is not looked for but stepped to, in a way of the person's own.
      const step = 1 + 2 * (hash(id) % 2); // 1 or 3, which meet all ten
      while (taken.has(hue)) hue = (hue + step) % HUES;
      given.set(id, hue);
    }
    taken.add(hue);
  }
}

function ownHue(id) {
  return hash(id) % HUES;
}

function hash(id) {
  let sum = 0;
  for (const letter of String(id)) sum = (Math.imul(sum, 31) + letter.codePointAt(0)) >>> 0;
  return (sum ^ (sum >>> 15)) >>> 0;
}
