// What was written and is not sent yet, messages and drafts, so that it outlives a reload of the page.
//
// It is plain text, and so in the session storage: of this tab alone, gone with the tab and with signing out.

const PREFIX = 'hereabouts.unsent.';

export class Unsent {
  #key;
  #messages; // client_id → as the outbox told
  #left; // those of them that the page before this one had, until they are taken up
  #drafts; // conversation id → text

  /** @param {string} selfId  who wrote it */
  constructor(selfId) {
    this.#key = PREFIX + selfId;
    const { messages, drafts } = parse(sessionStorage.getItem(this.#key));
    this.#messages = new Map(messages.map((message) => [message.client_id, message]));
    this.#left = new Set(this.#messages.keys());
    this.#drafts = new Map(drafts);
  }

  /** @param {import('../client/outbox.js').OutgoingMessage} message  in a state of which the outbox tells */
  keep(message) {
    const { client_id, room_id, content, created_at, state, error } = message;
    if (state === 'sent') this.#messages.delete(client_id);
    else this.#messages.set(client_id, { client_id, room_id, content, created_at, state, error: error && { code: error.code, message: error.message } });
    this.#write();
  }

  drop(clientId) {
    this.#messages.delete(clientId);
    this.#write();
  }

  /** @returns {object[]} what the page before had for a room, oldest first, each once; it stays kept */
  take(roomId) {
    const taken = [...this.#messages.values()].filter(({ client_id: id, room_id: room }) => room === roomId && this.#left.has(id));
    for (const { client_id: id } of taken) this.#left.delete(id);
    return taken;
  }

  draft(id) {
    return this.#drafts.get(id) ?? '';
  }

  keepDraft(id, text) {
    if (text) this.#drafts.set(id, text);
    else this.#drafts.delete(id);
    this.#write();
  }

  forget() {
    sessionStorage.removeItem(this.#key);
  }

  #write() {
    if (!this.#messages.size && !this.#drafts.size) return this.forget();
    try {
      sessionStorage.setItem(this.#key, JSON.stringify({ messages: [...this.#messages.values()], drafts: [...this.#drafts] }));
    } catch (error) {
      // A full storage costs what a reload would have kept, and nothing now.
      console.info('not kept for a reload:', error.message);
    }
  }
}

/** What is not there, or was written by something else, is nothing. */
function parse(text) {
  try {
    const { messages, drafts } = JSON.parse(text);
    return { messages, drafts };
  } catch {
    return { messages: [], drafts: [] };
  }
}
