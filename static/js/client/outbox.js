// Messages on their way out: each is `sending` until the server acknowledges it
// (`sent`) or refuses it (`failed`), and is sent again under the same
// `client_id` after a reconnect, so that it is written once.

const MAX_TRIES = 5;
const RETRY_MS = 2_000;

/**
 * @typedef {{client_id: string, room_id: string, content: string, created_at: string,
 *   state: 'sending'|'sent'|'failed', error: import('./errors.js').HereaboutsError|null,
 *   id?: string, seq?: number}} OutgoingMessage  `created_at` is local until `sent`
 */
export class Outbox {
  #request;
  #changed;
  #entries = new Map(); // client_id → {message, tries, inFlight}

  /**
   * @param {(type: string, fields: object) => Promise<any>} request
   * @param {(message: OutgoingMessage) => void} changed  told at every change of state
   */
  constructor(request, changed) {
    this.#request = request;
    this.#changed = changed;
  }

  /** @returns {OutgoingMessage} */
  send(roomId, content) {
    const message = {
      client_id: randomId(),
      room_id: roomId,
      content,
      created_at: new Date().toISOString(),
      state: 'sending',
      error: null,
    };
    this.#entries.set(message.client_id, { message, tries: 0, inFlight: false });
    this.#changed(message);
    this.#attempt(message.client_id);
    return message;
  }

  /** Sends a failed message once more. */
  retry(clientId) {
    const entry = this.#entries.get(clientId);
    if (entry?.message.state !== 'failed') return;
    entry.tries = 0;
    this.#update(entry, { state: 'sending', error: null });
    this.#attempt(clientId);
  }

  /** Gives a failed message up. */
  discard(clientId) {
    this.#entries.delete(clientId);
  }

  /** After a reconnect: what was not acknowledged goes out again, in the order it was written. */
  flush() {
    for (const clientId of this.#entries.keys()) this.#attempt(clientId);
  }

  clear() {
    this.#entries.clear();
  }

  async #attempt(clientId) {
    const entry = this.#entries.get(clientId);
    if (!entry || entry.inFlight || entry.message.state !== 'sending') return;
    entry.inFlight = true;
    const { client_id, room_id, content } = entry.message;
    try {
      const ack = await this.#request('send_message', { client_id, room_id, content });
      this.#entries.delete(clientId);
      this.#update(entry, { state: 'sent', id: ack.message_id, seq: ack.seq, created_at: ack.created_at });
    } catch (error) {
      entry.inFlight = false;
      this.#refused(clientId, entry, error);
    }
  }

  #refused(clientId, entry, error) {
    if (error.code === 'closed') return; // `flush` takes it up
    entry.tries += 1;
    if (error.transient && entry.tries < MAX_TRIES) {
      setTimeout(() => this.#attempt(clientId), (error.retryAfter ?? 0) * 1000 || RETRY_MS);
    } else {
      this.#update(entry, { state: 'failed', error });
    }
  }

  #update(entry, changes) {
    Object.assign(entry.message, changes);
    this.#changed(entry.message);
  }
}

/** As random as `crypto.randomUUID`, which plain http pages lack. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
