// What the user writes: the drafts, sending them, and taking up what the page before this one did not
// get sent.

import { NEARBY } from './spoken.js';
import { Unsent } from './unsent.js';

export class Writing {
  #chat;
  #unsent = null; // of whoever is signed in

  /** @param {import('../client/index.js').Hereabouts} hereabouts */
  constructor({ auth, chat }) {
    this.#chat = chat;
    /** Whether something to be said aloud is being written just now. */
    this.speaking = false;
    auth.on('signed_in', ({ user }) => { this.#unsent = new Unsent(user.id); });
    chat.on('outgoing', (message) => this.#unsent.keep(message));
  }

  send({ id }, content) {
    if (id === NEARBY) this.#chat.say(content);
    else this.#chat.send(id, content);
  }

  discard(clientId) {
    this.#chat.discard(clientId);
    this.#unsent.drop(clientId);
  }

  /** Keeps what is being written. */
  draft(conversation, text) {
    conversation.draft = text;
    this.speaking = conversation.id === NEARBY && text.trim() !== '';
    this.#unsent.keepDraft(conversation.id, text);
  }

  /** The draft of a conversation that the page has only now. */
  takeUp(conversation) {
    conversation.draft = this.#unsent.draft(conversation.id);
  }

  /** Sends what was left unsent to a conversation, in which one may write by now. */
  restore({ id }) {
    for (const message of this.#unsent.take(id === NEARBY ? null : id)) this.#chat.restore(message);
  }

  forget() {
    this.speaking = false;
    this.#unsent?.forget();
  }
}
