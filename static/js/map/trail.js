// One person's way as it is drawn: a little behind what is known, so that steps that arrive ten times a second, some
// of them late, become one walk. Pure: times come in from outside, nothing is drawn here. Owned by app/world.js.

/** How long after its arrival a place is reached: one tick of the server's and a little, for one that is late. */
export const DELAY_MS = 120;
/** In a dense crowd the server tells of those far off less often; a step may then stand for this long a walk. */
const LONGEST_STEP_MS = 3_000;
const STEP = 4; // units: more is no step, where every tick is told
const PACE = 7; // units a second, of a walk that has to be guessed
const SLACK = 1.2;

export class Trail {
  #points; // {at, x, y}: to be there at that time; never empty, in the order of time

  /** @param {number} now  milliseconds @param {{x: number, y: number}} place */
  constructor(now, { x, y }) {
    this.#points = [{ at: now, x, y }];
    /** When this person last came from nowhere, by a jump or at first. */
    this.appearedAt = now;
  }

  /** @returns {{x: number, y: number}} the newest place, where the walk leads */
  get end() {
    return this.#points.at(-1);
  }

  /**
   * Takes in a new place. What is too far for a step is jumped to.
   * @param {number} now @param {{x: number, y: number}} place
   * @param {boolean} sparse  whether not every step is told
   */
  push(now, { x, y }, sparse = false) {
    const last = this.end;
    const way = Math.hypot(x - last.x, y - last.y);
    if (!way) return;
    if (way > (sparse ? (LONGEST_STEP_MS / 1000) * PACE * SLACK : STEP)) {
      this.#points = [{ at: now, x, y }];
      this.appearedAt = now;
      return;
    }
    // Whoever stood, or was waited for, sets out now from where they are drawn.
    if (last.at < now) this.#points = [{ at: now, x: last.x, y: last.y }];
    const walked = sparse ? this.end.at + (way / PACE) * 1000 : this.end.at;
    this.#points.push({ at: Math.max(now + DELAY_MS, Math.min(walked, now + LONGEST_STEP_MS)), x, y });
  }

  /**
   * @param {number} now  not before that of an earlier call
   * @returns {{x: number, y: number, heading: number|null}} the place; the heading in radians while walking
   */
  at(now) {
    const points = this.#points;
    while (points.length > 1 && points[1].at <= now) points.shift();
    const [from, to] = points;
    if (!to) return { x: from.x, y: from.y, heading: null };
    const part = Math.max(0, (now - from.at) / (to.at - from.at));
    return {
      x: from.x + (to.x - from.x) * part,
      y: from.y + (to.y - from.y) * part,
      heading: Math.atan2(to.y - from.y, to.x - from.x),
    };
  }
}
