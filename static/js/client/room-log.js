// Delivers the messages of each followed room in order, without gaps or doubles.
//
// Live messages and pages of history meet here. A `seq` rises by one, so a
// message that skips ahead shows a gap; the gap is read from history before
// what came after it is handed on.

import { HereaboutsError } from './errors.js';

const PAGE = 200;
const RETRY_MS = 3_000;

export class RoomLog {
  #fetchAfter;
  #deliver;
  #rooms = new Map(); // room_id → {seq, filling, queued: Message[]}

  /**
   * @param {(roomId: string, page: {after: number, limit: number}) =>
   *   Promise<{messages: object[], next_after?: number}>} fetchAfter
   * @param {(message: import('./api.js').Message) => void} deliver
   */
  constructor(fetchAfter, deliver) {
    this.#fetchAfter = fetchAfter;
    this.#deliver = deliver;
  }

  /** Follows a room from `seq` on; a room followed already keeps its place. */
  follow(roomId, seq) {
    if (!this.#rooms.has(roomId)) this.#rooms.set(roomId, { seq, filling: false, queued: [] });
  }

  forget(roomId) {
    this.#rooms.delete(roomId);
  }

  clear() {
    this.#rooms.clear();
  }

  /** Takes in a live message. @param {import('./api.js').Message} message */
  receive(message) {
    const room = this.#rooms.get(message.room_id);
    if (!room) {
      this.#deliver(message);
    } else if (room.filling) {
      room.queued.push(message);
    } else if (message.seq === room.seq + 1) {
      room.seq = message.seq;
      this.#deliver(message);
    } else if (message.seq > room.seq) {
      room.queued.push(message);
      this.#fill(message.room_id, room);
    }
  }

  /** Reads from history what is missing up to `lastSeq`. */
  catchUp(roomId, lastSeq) {
    const room = this.#rooms.get(roomId);
    if (room && !room.filling && lastSeq > room.seq) this.#fill(roomId, room);
  }

  async #fill(roomId, room) {
    room.filling = true;
    try {
      let after = room.seq;
      while (after !== undefined) {
        const page = await this.#fetchAfter(roomId, { after, limit: PAGE });
        this.#advance(room, page.messages);
        after = page.next_after;
      }
    } catch (error) {
      if (!(error instanceof HereaboutsError)) throw error;
      if (error.transient) setTimeout(() => this.#refill(roomId, room), RETRY_MS);
      else this.#rooms.delete(roomId); // gone, or no longer ours to read
      return;
    } finally {
      room.filling = false;
    }
    const queued = room.queued;
    room.queued = [];
    for (const message of queued.sort((a, b) => a.seq - b.seq)) this.receive(message);
  }

  #refill(roomId, room) {
    // What was queued comes again with the page.
    room.queued = [];
    if (this.#rooms.get(roomId) === room && !room.filling) this.#fill(roomId, room);
  }

  #advance(room, messages) {
    for (const message of messages) {
      if (message.seq <= room.seq) continue;
      room.seq = message.seq;
      this.#deliver(message);
    }
  }
}
