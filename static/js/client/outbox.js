// Messages, and what is said aloud, on their way out: each is `sending` until the
// server acknowledges it (`sent`) or refuses it (`failed`), and is sent again under
// the same `client_id` after a reconnect, so that it is written once.
//
// Order. Of each room one message is on its way at a time, and the next one starts
// when that is sent or has failed. So nothing overtakes what was refused for the
// moment or lost with the connection, and a backlog that meets the rate limit
// costs one refusal, not one for each message behind it. The price is a round trip
// for each message of a room, which nobody types faster than. What is said aloud has
// an order of its own, and waits for no room.

import { fullJitter } from './backoff.js';
import { HereaboutsError } from './errors.js';

// With the waits of fullJitter a minute and a half of refusals, more or less: a database has elected another
// primary or is up again by then. Being without a connection does not count.
const MOST_TRIES = 10;
/** In place of a room's id: what is said aloud. */
export const SPEECH = '';
const FIRST_WAIT = 2; // the attempt that fullJitter counts from: up to 2 s

/**
 * @typedef {{client_id: string, room_id: string|null, content: string, created_at: string,
 *   state: 'sending'|'sent'|'failed', error: import('./errors.js').HereaboutsError|null,
 *   id?: string, seq?: number}} OutgoingMessage  `created_at` is local until `sent`; `room_id` is null
 *   for what is said aloud, which has no `seq`
 */
export class Outbox {
  #request;
  #isOpen;
  #changed;
  #lanes = new Map(); // room_id or SPEECH → {messages: OutgoingMessage[], tries, underWay, timer}
  #failed = new Map(); // client_id → OutgoingMessage

  /**
   * @param {(type: string, fields: object) => Promise<any>} request
   * @param {(roomId: string) => boolean} isOpen  whether messages may go there now (SPEECH: whether one may speak);
   *   `flush` when they may again
   * @param {(message: OutgoingMessage) => void} changed  told at every change of state
   */
  constructor(request, isOpen, changed) {
    this.#request = request;
    this.#isOpen = isOpen;
    this.#changed = changed;
  }

  /**
   * @param {string|null} roomId  null: says it aloud
   * @returns {OutgoingMessage}
   */
  send(roomId, content) {
    const message = {
      client_id: randomId(),
      room_id: roomId,
      content,
      created_at: new Date().toISOString(),
      state: 'sending',
      error: null,
    };
    this.#enqueue(message);
    return message;
  }

  /**
   * Takes up what another page did not get sent, under its `client_id`: what was on its way goes out again, what had
   * failed can be retried.
   * @param {OutgoingMessage} message  as it was told; of its `error` `code` and `message` are enough
   */
  restore({ client_id, room_id, content, created_at, state, error }) {
    const known = error && new HereaboutsError(error.code, error.message);
    const message = { client_id, room_id, content, created_at, state, error: known };
    if (state === 'failed') {
      this.#failed.set(client_id, message);
      this.#changed(message);
    } else {
      this.#enqueue(message);
    }
  }

  /** Sends a failed message once more, behind those of its room that wait already. */
  retry(clientId) {
    const message = this.#failed.get(clientId);
    if (!message) return;
    this.#failed.delete(clientId);
    Object.assign(message, { state: 'sending', error: null });
    this.#enqueue(message);
  }

  /** Gives a failed message up. */
  discard(clientId) {
    this.#failed.delete(clientId);
  }

  /** Messages may go out again, after a reconnect: of one room, or of all that are open. */
  flush(roomId) {
    for (const id of roomId === undefined ? [...this.#lanes.keys()] : [roomId]) this.#next(id);
  }

  /** Nobody is signed in any more: what waits has failed, and is not kept for another try. */
  clear() {
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    this.#failed.clear();
    for (const { messages, timer } of lanes) {
      clearTimeout(timer);
      for (const message of messages) {
        Object.assign(message, { state: 'failed', error: new HereaboutsError('closed', 'Signed out before it was sent') });
        this.#changed(message);
      }
    }
  }

  #enqueue(message) {
    const roomId = message.room_id ?? SPEECH;
    if (!this.#lanes.has(roomId)) this.#lanes.set(roomId, { messages: [], tries: 0, underWay: false, timer: null });
    this.#lanes.get(roomId).messages.push(message);
    this.#changed(message);
    this.#next(roomId);
  }

  #next(roomId) {
    const lane = this.#lanes.get(roomId);
    if (!lane || lane.underWay || !this.#isOpen(roomId)) return;
    if (lane.messages.length) this.#attempt(roomId, lane);
    else this.#lanes.delete(roomId);
  }

  async #attempt(roomId, lane) {
    const [message] = lane.messages;
    const { client_id, room_id, content } = message;
    lane.underWay = true;
    let outcome;
    try {
      const ack = room_id === null
        ? await this.#request('say', { client_id, content })
        : await this.#request('send_message', { client_id, room_id, content });
      outcome = { state: 'sent', id: ack.message_id ?? ack.id, seq: ack.seq, created_at: ack.created_at };
    } catch (error) {
      outcome = this.#refused(roomId, lane, error);
    }
    if (this.#lanes.get(roomId) !== lane || !outcome) return;
    lane.messages.shift();
    Object.assign(lane, { tries: 0, underWay: false });
    Object.assign(message, outcome);
    if (message.state === 'failed') this.#failed.set(client_id, message);
    this.#changed(message);
    this.#next(roomId);
  }

  /** @returns {object|null} what becomes of a message; null if it is tried again */
  #refused(roomId, lane, error) {
    if (error.code === 'closed') {
      lane.underWay = false; // `flush` takes it up
      return null;
    }
    lane.tries += 1;
    if (!error.transient || lane.tries === MOST_TRIES) return { state: 'failed', error };
    const wait = (error.retryAfter ?? 0) * 1000 + fullJitter(FIRST_WAIT + lane.tries - 1);
    lane.timer = setTimeout(() => {
      lane.underWay = false;
      this.#next(roomId);
    }, wait);
    return null;
  }
}

/** As random as `crypto.randomUUID`, which plain http pages lack. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
