// Delivers the messages of each followed room in order, without gaps or doubles.
//
// Live messages, those that a resume replays and pages of history meet here. A
// `seq` rises by one, so a message that skips ahead shows a gap, and is held back
// until what comes before it is there. ChatSocket feeds it.

import { HereaboutsError } from './errors.js';

const PAGE = 200;
const RETRY_MS = 3_000;

/**
 * @typedef {object} Room
 * @property {number} seq  up to here everything was delivered
 * @property {'live'|'resuming'|'filling'} state  resuming: it takes a resume to know what was missed;
 *   filling: history is being read
 * @property {number} settled  what a resume asks from: no message above it, and no deletion since, is known to be all
 *   there. A replay that was cut short has told of messages, and not of the deletions that its end would name
 * @property {Map<number, object>} held  by seq: messages ahead of those still missing
 * @property {Set<string>} deleted  ids of messages deleted while something is missing, which may be among it
 */
export class RoomLog {
  #fetchAfter;
  #deliver;
  #lost;
  #rooms = new Map(); // room_id → Room
  #heard = new Map(); // room_id → the last seq delivered of a room that nobody follows (yet)

  /**
   * @param {(roomId: string, page: {after: number, limit: number}) =>
   *   Promise<{messages: object[], next_after?: number}>} fetchAfter
   * @param {(message: import('./api.js').Message) => void} deliver
   * @param {(roomId: string, error: HereaboutsError) => void} lost  told of a room that cannot be read any more; has to
   *   `forget` it
   */
  constructor(fetchAfter, deliver, lost) {
    this.#fetchAfter = fetchAfter;
    this.#deliver = deliver;
    this.#lost = lost;
  }

  /**
   * Follows a room from `seq` on; a room followed already keeps its place.
   * @param {boolean} connected  whether from `seq` on its messages come by themselves
   */
  follow(roomId, seq, connected) {
    if (this.#rooms.has(roomId)) return;
    const from = Math.max(seq, this.#heard.get(roomId) ?? 0);
    this.#heard.delete(roomId);
    this.#rooms.set(roomId, newRoom(from, connected ? 'live' : 'resuming'));
  }

  forget(roomId) {
    this.#rooms.delete(roomId);
  }

  clear() {
    this.#rooms.clear();
    this.#heard.clear();
  }

  /** There is no connection: what is held back or being read now comes again with the resume. */
  disconnected() {
    // New objects, so that a page of history on its way finds that it is not wanted any more.
    for (const [roomId, { seq, state, settled }] of this.#rooms) {
      this.#rooms.set(roomId, newRoom(seq, 'resuming', state === 'resuming' ? settled : seq));
    }
    this.#heard.clear();
  }

  isResuming(roomId) {
    return this.#rooms.get(roomId)?.state === 'resuming';
  }

  /** @returns {{room_id: string, after_seq: number}[]} what a resume has to ask for */
  get resuming() {
    return [...this.#rooms]
      .filter(([, { state }]) => state === 'resuming')
      .map(([roomId, { settled }]) => ({ room_id: roomId, after_seq: settled }));
  }

  /** Takes in the server's word that a room was replayed, or (`complete: false`) that history has to be read. */
  resumed({ room_id: roomId, last_seq: lastSeq, complete, deleted }) {
    const room = this.#rooms.get(roomId);
    if (!room) return; // left meanwhile
    for (const id of deleted) room.deleted.add(id);
    // Behind us, the room has lost what we have seen: it begins anew there.
    if (!complete) room.seq = Math.min(room.seq, lastSeq);
    if (complete) this.#reached(roomId, room, lastSeq);
    else this.#fill(roomId, room, lastSeq);
  }

  /** Takes in a live or replayed message. @param {import('./api.js').Message} message */
  receive(message) {
    const { room_id: roomId, seq } = message;
    const room = this.#rooms.get(roomId);
    if (!room) {
      this.#heard.set(roomId, seq);
      this.#deliver(message);
    } else if (seq === room.seq + 1) {
      this.#advance(room, message);
    } else if (seq > room.seq) {
      room.held.set(seq, message);
      if (room.state === 'live') this.#fill(roomId, room, seq);
    }
  }

  /** A message was deleted: if it is still to be delivered, then as that. */
  delete(roomId, id) {
    const room = this.#rooms.get(roomId);
    if (room && room.state !== 'live') room.deleted.add(id);
  }

  /** Reads what is missing from history, which from now on has everything up to a seq at least. */
  async #fill(roomId, room, upTo) {
    room.state = 'filling';
    const wanted = () => this.#rooms.get(roomId) === room;
    let after = room.seq;
    while (wanted() && after !== undefined) {
      try {
        const page = await this.#fetchAfter(roomId, { after, limit: PAGE });
        for (const message of page.messages) this.#advance(room, message);
        after = page.next_after;
      } catch (error) {
        if (!(error instanceof HereaboutsError)) throw error;
        if (error.transient) await pause((error.retryAfter ?? 0) * 1000 || RETRY_MS);
        else if (wanted()) this.#lost(roomId, error);
      }
    }
    if (wanted()) this.#reached(roomId, room, upTo);
  }

  /** Up to a seq nothing is missing: where one was skipped there is no message any more. */
  #reached(roomId, room, upTo) {
    room.state = 'live';
    for (const seq of [...room.held.keys()].sort((a, b) => a - b)) {
      if (seq > Math.max(room.seq, upTo) + 1) break;
      this.#advance(room, room.held.get(seq));
      room.held.delete(seq);
    }
    room.seq = Math.max(room.seq, upTo);
    if (room.held.size) this.#fill(roomId, room, Math.max(...room.held.keys()));
    else room.deleted.clear();
  }

  #advance(room, message) {
    const { id, room_id, seq } = message;
    // A listener may have left the room while it was told of the message before.
    if (seq <= room.seq || this.#rooms.get(room_id) !== room) return;
    room.seq = seq;
    this.#deliver(room.deleted.has(id) ? { id, room_id, seq, deleted: true } : message);
  }
}

function newRoom(seq, state, settled = seq) {
  return { seq, settled, state, held: new Map(), deleted: new Set() };
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
