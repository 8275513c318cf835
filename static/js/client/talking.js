// Whether somebody talks, from how loud they are: begun by a word, and not ended by the pause before the next.

// Of the root mean square: a voice by a microphone is at 0.03 to 0.3, a quiet room below 0.005.
const BEGINS = 0.02;
const GOES_ON = 0.01;
const PAUSE_MS = 600;

export class Talking {
  #now = false;
  #heardAt = -Infinity;

  /** @param {number} level @param {number} at  milliseconds @returns {boolean} */
  hear(level, at) {
    if (level >= (this.#now ? GOES_ON : BEGINS)) this.#heardAt = at;
    this.#now = at - this.#heardAt < PAUSE_MS;
    return this.#now;
  }
}
