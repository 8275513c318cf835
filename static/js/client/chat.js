// The chat socket: rooms, messages, typing, read marks, and one's position.
//
// After a reconnect it joins its rooms again, reads what was missed from
// history and sends what was not acknowledged, so that its listeners see each
// message once and in order whatever the network did.

import { Outbox } from './outbox.js';
import { RoomLog } from './room-log.js';
import { ReconnectingSocket } from './socket.js';

/** The server passes typing on once per user in this time. */
const TYPING_INTERVAL_MS = 3_000;
const SYNC_RETRY_MS = 3_000;

/**
 * Events beside those of ReconnectingSocket and the frames of the contract:
 * - `message` {@link import('./api.js').Message}, in order and once; from history it may be `deleted`
 * - `outgoing` {@link import('./outbox.js').OutgoingMessage}, whenever one of ours changes state
 * - `synced {sessions}` after each connect, once rooms are joined; the caller's sessions as they are now
 * - `room_lost {room_id, error}` a room that could not be joined again
 */
export class ChatSocket extends ReconnectingSocket {
  #api;
  #log;
  #outbox;
  #joined = new Set();
  #typingSentAt = new Map(); // room_id → local milliseconds

  /**
   * @param {string} url
   * @param {import('./auth.js').Auth} auth
   * @param {import('./api.js').Api} api
   */
  constructor(url, auth, api) {
    super(url, auth);
    this.#api = api;
    this.#log = new RoomLog((roomId, page) => api.messages(roomId, page), (message) => this.emit('message', message));
    this.#outbox = new Outbox((type, fields) => this.request(type, fields), (message) => this.emit('outgoing', message));
    this.on('connected', () => this.#sync());
    this.on('session_created', ({ session }) => this.#log.follow(session.id, session.last_seq));
    this.on('room_closed', ({ room_id: roomId }) => this.#forget(roomId));
  }

  /** Live messages go by way of the log, which puts them in order. */
  deliver(frame) {
    if (frame.type === 'message') this.#log.receive(frame);
    else super.deliver(frame);
  }

  /** Forgets rooms and unsent messages too: for a change of user. */
  close() {
    super.close();
    this.#joined.clear();
    this.#log.clear();
    this.#outbox.clear();
  }

  /**
   * Joins a room, now and after every reconnect until `leave()`.
   * @returns {Promise<{room_id: string, kind: string, members: {user_id: string, username: string}[],
   *   member_count: number, last_seq: number}>}
   * @throws `not_found` if there is none or it is not the caller's to enter
   */
  async join(roomId) {
    const joined = await this.request('join_room', { room_id: roomId });
    this.#joined.add(roomId);
    this.#log.follow(roomId, joined.last_seq);
    this.#log.catchUp(roomId, joined.last_seq);
    return joined;
  }

  /** Leaves a room; messages of a land stop, a session stays the caller's. */
  async leave(roomId) {
    this.#joined.delete(roomId);
    this.#log.forget(roomId);
    await this.request('leave_room', { room_id: roomId });
  }

  /** Delivers the messages of a session of the caller's, gaps filled, from `lastSeq` on. */
  follow(session) {
    this.#log.follow(session.id, session.last_seq);
  }

  /** @returns {import('./outbox.js').OutgoingMessage} told of again by `outgoing` */
  send(roomId, content) {
    this.#typingSentAt.delete(roomId);
    return this.#outbox.send(roomId, content);
  }

  /** Sends a failed message once more. */
  retry(clientId) {
    this.#outbox.retry(clientId);
  }

  /** Gives a failed message up. */
  discard(clientId) {
    this.#outbox.discard(clientId);
  }

  /** May be called at every key: no more is sent than the server passes on. */
  typing(roomId, isTyping) {
    const now = Date.now();
    const sentAt = this.#typingSentAt.get(roomId);
    if (isTyping && now - (sentAt ?? 0) < TYPING_INTERVAL_MS) return;
    if (!isTyping && sentAt === undefined) return;
    if (isTyping) this.#typingSentAt.set(roomId, now);
    else this.#typingSentAt.delete(roomId);
    this.notify('typing', { room_id: roomId, is_typing: isTyping });
  }

  /** @param {number} seq  at most the room's last; going back has no effect */
  markRead(roomId, seq) {
    return this.request('mark_read', { room_id: roomId, seq });
  }

  /**
   * Says where the user is; `nearby_users` follows as an event.
   * @param {{x: number, y: number, world_id?: string, radius?: number}} position  radius 1 to 50
   * @returns {Promise<{world_id: string, x: number, y: number, land_id: string|null}>}
   */
  updateLocation(position) {
    return this.request('update_location', position);
  }

  async #sync() {
    await Promise.all([...this.#joined].map((roomId) => this.#rejoin(roomId)));
    this.#outbox.flush();
    try {
      const sessions = await this.#api.allSessions();
      if (this.state !== 'open') return; // the next connection asks anew
      for (const session of sessions) this.#log.catchUp(session.id, session.last_seq);
      for (const session of sessions) if (session.kind !== 'land') this.#log.follow(session.id, session.last_seq);
      this.emit('synced', { sessions });
    } catch (error) {
      if (!error.transient) throw error;
      setTimeout(() => this.state === 'open' && this.#sync(), SYNC_RETRY_MS);
    }
  }

  async #rejoin(roomId) {
    try {
      await this.join(roomId);
    } catch (error) {
      if (error.transient) return; // the next connection tries again
      this.#forget(roomId);
      this.emit('room_lost', { room_id: roomId, error });
    }
  }

  #forget(roomId) {
    this.#joined.delete(roomId);
    this.#log.forget(roomId);
  }
}
