// The chat socket: rooms, messages, speech, typing, read marks, and one's position.
//
// After a reconnect it resumes all its rooms, which joins them and replays what
// was missed, and sends what was not acknowledged, so that its listeners see
// each message once and in order whatever the network did.

import { Outbox, SPEECH } from './outbox.js';
import { RoomLog } from './room-log.js';
import { ReconnectingSocket } from './socket.js';
import { SpeechLog } from './speech-log.js';

/** The server passes typing on once per user in this time. */
const TYPING_INTERVAL_MS = 3_000;
const SYNC_RETRY_MS = 3_000;
/** The contract's, of one request. */
const MOST_RESUMED = 200;
const PAGE = 200;

/**
 * Events beside those of ReconnectingSocket and the frames of the contract:
 * - `message` {@link import('./api.js').Message}, in order and once; it may be `deleted` by the time it is told
 * - `message_deleted {room_id, id, seq?}`, without `seq` for what was deleted while there was no connection; such an
 *   id may be of a message that was never told, or told as deleted before
 * - `speech` {@link import('./api.js').Speech}, said or heard aloud, in order and once
 * - `outgoing` {@link import('./outbox.js').OutgoingMessage}, whenever one of ours changes state
 * - `synced {sessions}` after each connect, once rooms are resumed; the caller's sessions as they are now
 * - `room_lost {room_id, error}` a room that is gone, or not the caller's to enter any more; it is not followed any more
 */
export class ChatSocket extends ReconnectingSocket {
  #api;
  #log;
  #speech;
  #hears = false; // what was missed of speech has been asked for on this connection
  #placed = false; // one stood somewhere …
  #displaced = false; // … and that went with the connection
  #outbox;
  #connection = null; // the `connected` that is being synced with, or was
  #syncTimer = null;
  #typingSentAt = new Map(); // room_id → local milliseconds
  #radius = null; // of the watch

  /** @type {Map<string, {user_id: string, username: string, x: number, y: number}>} who is in view while watching */
  nearby = new Map();

  /**
   * @param {string} url
   * @param {import('./auth.js').Auth} auth
   * @param {import('./api.js').Api} api
   */
  constructor(url, auth, api) {
    super(url, auth);
    this.#api = api;
    this.#log = new RoomLog(
      (roomId, page) => api.messages(roomId, page),
      (message) => this.emit('message', message),
      (roomId, error) => this.#lose(roomId, error),
    );
    this.#speech = new SpeechLog((speech) => this.emit('speech', speech));
    this.#outbox = new Outbox(
      (type, fields) => this.request(type, fields),
      (lane) => this.#maySend(lane),
      (message) => this.emit('outgoing', message),
    );
    // First among the listeners, so that none of them finds a room as it was on the connection before.
    this.on('state', ({ state }) => state === 'open' || this.#disconnected());
    this.on('connected', (frame) => this.#sync(frame));
    this.on('location_updated', () => {
      this.#placed = true;
      this.#displaced = false;
      this.#outbox.flush(SPEECH);
    });
    this.on('session_created', ({ session }) => this.follow(session));
    this.on('room_closed', ({ room_id: roomId }) => this.#forget(roomId));
    // Unasked: the land's owner took one off the guest list.
    this.on('left_room', ({ room_id: roomId, ref }) => ref ?? this.#forget(roomId));
  }

  /** Messages and speech go by way of their logs, which put them in order. */
  deliver(frame) {
    if (frame.type === 'speech') {
      this.#speech.receive(frame);
      return;
    }
    if (frame.type === 'message') {
      this.#log.receive(frame);
      return;
    }
    if (frame.type === 'nearby_snapshot' || frame.type === 'nearby_update') {
      if (this.#radius === null) return; // it was on its way
      this.#look(frame);
    }
    if (frame.type === 'message_deleted') this.#log.delete(frame.room_id, frame.id);
    super.deliver(frame);
  }

  /** Forgets rooms too, and what was not sent has failed: for a change of user. */
  close() {
    super.close();
    this.#log.clear();
    this.#speech.clear();
    this.#placed = this.#displaced = false;
    this.#outbox.clear();
    this.#radius = null;
    this.nearby = new Map();
  }

  /**
   * Joins a room, now and after every reconnect until `leave()`.
   * @returns {Promise<{room_id: string, kind: string, members: {user_id: string, username: string}[],
   *   member_count: number, last_seq: number}>}
   * @throws `not_found` if there is none or it is not the caller's to enter
   */
  async join(roomId) {
    const joined = await this.request('join_room', { room_id: roomId });
    this.#log.follow(roomId, joined.last_seq, true);
    return joined;
  }

  /** Leaves a room; messages of a land stop, a session stays the caller's. */
  async leave(roomId) {
    this.#forget(roomId);
    try {
      await this.request('leave_room', { room_id: roomId });
    } catch (error) {
      if (error.code !== 'closed') throw error; // left with the connection, and not resumed
    }
  }

  /**
   * Delivers the messages of a private or group session of the caller's, gaps filled, from its `last_seq` on. They
   * come without being joined; what joining adds, who is present, comes with the first reconnect, which joins.
   * @param {import('./api.js').Session} session
   */
  follow(session) {
    this.#log.follow(session.id, session.last_seq, this.state === 'open');
  }

  /** @returns {import('./outbox.js').OutgoingMessage} told of again by `outgoing` */
  send(roomId, content) {
    this.#typingSentAt.delete(roomId);
    return this.#outbox.send(roomId, content);
  }

  /**
   * Says something to whoever is within earshot. After a reconnect it waits until `updateLocation` has said again where
   * one stands.
   * @returns {import('./outbox.js').OutgoingMessage} told of again by `outgoing`; its `room_id` is null
   */
  say(content) {
    return this.#outbox.send(null, content);
  }

  /**
   * Takes up what was not sent when another page ended, one of those that `outgoing` told of as `sending` or `failed`.
   * Its room has to be the caller's to write in by now, a land joined. Told of again by `outgoing`.
   * @param {import('./outbox.js').OutgoingMessage} message
   */
  restore(message) {
    this.#outbox.restore(message);
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
    if (this.#log.isResuming(roomId)) return; // not joined again yet
    const sent = this.notify('typing', { room_id: roomId, is_typing: isTyping });
    if (isTyping && sent) this.#typingSentAt.set(roomId, now);
    else this.#typingSentAt.delete(roomId);
  }

  /** @param {number} seq  at most the room's last; going back has no effect */
  markRead(roomId, seq) {
    return this.request('mark_read', { room_id: roomId, seq });
  }

  /**
   * Says where the user is; but while watching, `nearby_users` follows as an event.
   * @param {{x: number, y: number, world_id?: string, radius?: number}} position  radius 1 to 50
   * @returns {Promise<{world_id: string, x: number, y: number, land_id: string|null}>}
   */
  updateLocation(position) {
    return this.request('update_location', position);
  }

  /**
   * From now on, and after every reconnect until `unwatchNearby()`, `nearby` is who is in view. `nearby_snapshot` and
   * `nearby_update` tell of each change, after `nearby` has it.
   * @param {number} radius  1 to 50
   */
  watchNearby(radius = 10) {
    this.#radius = radius;
    this.notify('watch_nearby', { radius });
  }

  unwatchNearby() {
    this.#radius = null;
    this.nearby = new Map();
    this.notify('unwatch_nearby', {});
  }

  #look({ type, users, entered, moved, left }) {
    if (type === 'nearby_snapshot') {
      this.nearby = new Map(users.map((user) => [user.user_id, user]));
      return;
    }
    for (const id of left) this.nearby.delete(id);
    for (const user of entered) this.nearby.set(user.user_id, user);
    for (const [id, x, y] of moved) Object.assign(this.nearby.get(id) ?? {}, { x, y });
  }

  /** Before its resume a room is not joined, and the server would refuse the message for good; so it would what is said by
   *  one who does not stand anywhere yet. */
  #maySend(lane) {
    if (this.state !== 'open') return false;
    return lane === SPEECH ? this.#hears && !this.#displaced : !this.#log.isResuming(lane);
  }

  #disconnected() {
    clearTimeout(this.#syncTimer);
    this.#log.disconnected();
    this.#speech.hold();
    this.#hears = false;
    this.#displaced = this.#placed;
    this.#typingSentAt.clear();
  }

  /** @param {object} connection  its `connected`: whatever belongs to an earlier one ends by itself */
  async #sync(connection) {
    this.#connection = connection;
    const isCurrent = () => this.#connection === connection && this.state === 'open';
    if (this.#radius !== null) this.notify('watch_nearby', { radius: this.#radius });
    try {
      this.#outbox.flush(); // to rooms that need no resume
      await this.#resume(isCurrent);
      const sessions = await this.#api.allSessions();
      if (!isCurrent()) return;
      for (const session of sessions) if (session.kind !== 'land') this.follow(session);
      this.emit('synced', { sessions });
    } catch (error) {
      if (error.code && !isCurrent()) return; // the next connection begins anew
      if (!error.transient) throw error;
      this.#syncTimer = setTimeout(() => this.#sync(connection), (error.retryAfter ?? 0) * 1000 || SYNC_RETRY_MS);
    }
  }

  /**
   * Asks once for each room that has to be resumed, and for speech.
   * @throws {HereaboutsError} if some could not be for the moment
   */
  async #resume(isCurrent) {
    const asked = new Set();
    let refusal = null;
    // Looked up before each request: meanwhile rooms may have been left.
    const next = () => this.#log.resuming.filter(({ room_id: roomId }) => !asked.has(roomId)).slice(0, MOST_RESUMED);
    for (let rooms = next(); rooms.length || !this.#hears; rooms = next()) {
      for (const { room_id: roomId } of rooms) asked.add(roomId);
      const speech = this.#hears ? {} : { speech_after: this.#speech.last };
      const answers = rooms.length + Object.keys(speech).length;
      await this.requestEach('resume', { rooms, ...speech }, answers, (answer, error) => {
        if (error?.transient) refusal = error;
        else if (error) this.#lose(answer.room_id, error);
        else if (answer.type === 'speech_resumed') this.#speechResumed(answer, isCurrent);
        else this.#resumed(answer);
      });
    }
    if (refusal) throw refusal;
  }

  #resumed(answer) {
    this.#log.resumed(answer);
    for (const id of answer.deleted) this.emit('message_deleted', { type: 'message_deleted', room_id: answer.room_id, id });
    this.#outbox.flush(answer.room_id);
  }

  #speechResumed({ complete, last_id: lastId }, isCurrent) {
    this.#hears = true;
    this.#outbox.flush(SPEECH);
    if (!complete) {
      this.#fillSpeech(isCurrent);
      return;
    }
    this.#speech.begin(lastId ?? '0');
    this.#speech.release();
  }

  /** Reads what was missed, the newest first, down to where we were. */
  async #fillSpeech(isCurrent) {
    const { last } = this.#speech;
    let before;
    for (let more = true; more && isCurrent();) {
      try {
        const page = await this.#api.speech({ before, limit: PAGE });
        if (!isCurrent()) return;
        for (const speech of page.speech) this.#speech.receive({ type: 'speech', ...speech });
        before = page.next_before;
        more = before !== undefined && before > last;
      } catch (error) {
        if (!error.code) throw error;
        if (error.transient) await pause((error.retryAfter ?? 0) * 1000 || SYNC_RETRY_MS);
        else more = false;
      }
    }
    if (isCurrent()) this.#speech.release();
  }

  #lose(roomId, error) {
    this.#forget(roomId);
    this.emit('room_lost', { room_id: roomId, error });
  }

  #forget(roomId) {
    this.#log.forget(roomId);
    this.#outbox.flush(roomId); // what waited for its resume: the server says what becomes of it
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
