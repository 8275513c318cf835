// What one says aloud and hears, as a conversation of the page: with whoever stands near, wherever
// that is. It has no members, no read marks and no deletions; the rest is as in a room.

import { History } from './history.js';

/** In place of a room's id. */
export const NEARBY = 'nearby';

export class Spoken extends History {
  #hereabouts;
  #people;
  #byId = new Map();
  #pending = new Map(); // client_id → Row

  constructor(hereabouts, people) {
    super();
    this.#hereabouts = hereabouts;
    this.#people = people;
    this.id = NEARBY;
    this.kind = 'nearby';
    this.title = 'Nearby';
    /** How much was heard and not seen on the page; what was said before it was opened counts as seen. */
    this.unread = 0;
    /** Whether the server knows where one stands: nobody hears one who is nowhere. */
    this.ready = false;
    this.typing = new Map(); // nobody is told of it
    this.draft = '';
  }

  /** @returns {import('./conversation.js').Row[]} oldest first, those on their way last */
  get rows() {
    const spoken = [...this.#byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    return [...spoken, ...this.#pending.values()];
  }

  async readPage(page) {
    const answer = await this.#hereabouts.api.speech(page);
    for (const speech of answer.speech) this.#put(speech);
    return answer.next_before;
  }

  /** Somebody spoke, maybe oneself. */
  receive(speech) {
    const mine = speech.sender_id === this.#hereabouts.user.id;
    // One's own may come before its acknowledgement, and does not say which it is: those go out in order.
    const echo = mine && [...this.#pending.values()].find(({ state, content }) => state === 'sending' && content === speech.content);
    if (echo) this.#pending.delete(echo.client_id);
    this.#put(speech, echo ? echo.client_id : undefined);
    if (!mine) this.unread += 1;
  }

  /** One of our own changed its state. */
  outgoing(message) {
    const row = { ...message, key: message.client_id, sender_id: this.#hereabouts.user?.id };
    if (message.state === 'sent') {
      this.#pending.delete(message.client_id);
      this.#put(row, message.client_id);
    } else {
      this.#pending.set(message.client_id, row);
    }
  }

  discard(clientId) {
    this.#pending.delete(clientId);
  }

  #put(speech, ownKey) {
    const { id, sender_id: senderId, sender_username: username } = speech;
    if (senderId && username) this.#people.learn({ id: senderId, username });
    const known = this.#byId.get(id);
    // The same words said on another device may have been taken for this one's.
    for (const other of this.#byId.values()) if (other.key === ownKey && other.id !== id) other.key = other.id;
    this.#byId.set(id, { ...known, ...speech, key: ownKey ?? known?.key ?? id, state: 'sent' });
  }
}
