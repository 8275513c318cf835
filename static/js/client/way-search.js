// How long a call looks for a way to the other side, at first and after each
// loss, and when ICE starts anew meanwhile.

const GIVE_UP_MS = 20_000;
/** What failed may be only the first candidates, with the one that works still on its way. */
const RESTART_MS = 2_000;
/** One side is enough, and both would collide: the callee waits for longer, and so does who tries again. */
const RESTART_LATER_MS = 5_000;
const SAME_TIME_MS = 3_000; // both sides give up at the same time, roughly

export class WaySearch {
  #firstRestartMs;
  #restart;
  #giveUp;
  #since = null; // local milliseconds, while there is no way
  #endTimer = null;
  #restartTimer = null;

  /** @param {{first: boolean, restart: () => void, giveUp: () => void}} search  `first`: of the two, the one to start anew first */
  constructor({ first, restart, giveUp }) {
    this.#firstRestartMs = first ? RESTART_MS : RESTART_LATER_MS;
    this.#restart = restart;
    this.#giveUp = giveUp;
  }

  begin() {
    this.#since ??= Date.now();
    this.#endTimer ??= setTimeout(this.#giveUp, GIVE_UP_MS);
  }

  /** There is none any more, or none of those that were tried. */
  lost() {
    this.begin();
    this.#restartTimer ??= setTimeout(() => this.#startAnew(), this.#firstRestartMs);
  }

  found() {
    clearTimeout(this.#endTimer);
    clearTimeout(this.#restartTimer);
    this.#since = this.#endTimer = this.#restartTimer = null;
  }

  /** Whether it was about to be given up. */
  get nearEnd() {
    return this.#since !== null && Date.now() - this.#since > GIVE_UP_MS - SAME_TIME_MS;
  }

  #startAnew() {
    this.#restartTimer = setTimeout(() => this.#startAnew(), RESTART_LATER_MS);
    this.#restart();
  }
}
