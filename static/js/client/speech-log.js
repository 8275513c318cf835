// Puts what is said aloud in order, once each.
//
// Live speech, what a resume replays and pages of history meet here. Ids rise, as
// text, in the order in which speech is told; nothing in one shows that another is
// missing, so all is held back until it is known what was missed. ChatSocket feeds it.

export class SpeechLog {
  #deliver;
  #held = new Map(); // by id; null while nothing is missing

  /** @param {(speech: import('./api.js').Speech) => void} deliver */
  constructor(deliver) {
    this.#deliver = deliver;
    /** All up to this id was told, or was said before the login; null while that is not known. */
    this.last = null;
  }

  /** The server's word on where we are: of use to one who does not know it yet. */
  begin(id) {
    this.last ??= id;
  }

  /** There is no connection: what was held back comes again, with the resume. */
  hold() {
    this.#held = new Map();
  }

  receive(speech) {
    if (this.#held) this.#held.set(speech.id, speech);
    else this.#pass(speech);
  }

  /** Nothing is missing below what was taken in. */
  release() {
    const held = [...(this.#held ?? new Map()).values()];
    this.#held = null;
    for (const speech of held.sort((a, b) => (a.id < b.id ? -1 : 1))) this.#pass(speech);
  }

  clear() {
    this.hold();
    this.last = null;
  }

  #pass(speech) {
    if (this.last === null || speech.id <= this.last) return; // a listener may have signed out
    this.last = speech.id;
    this.#deliver(speech);
  }
}
