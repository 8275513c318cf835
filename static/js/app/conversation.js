// One room as the page shows it: its messages in order, those still on their
// way, who types, and how far everybody has read.

import { History } from './history.js';
import { legible } from './names.js';

const TYPING_MS = 6_000; // a little over two of the server's reminders
const GROUP_NAMES = 3;

/**
 * @typedef {object} Row  a message as shown
 * @property {string} key  the same before and after the server's acknowledgement
 * @property {'sending'|'sent'|'failed'|'deleted'} state
 */
export class Conversation extends History {
  #api;
  #people;
  #selfId;
  #marks;
  #watchedFrom = null; // the first seq from which on no reading was missed
  #bySeq = new Map();
  #pending = new Map(); // client_id → Row
  #deletedIds = new Set(); // as told: a page of history that was on its way then does not know

  /** @param {{marks: import('./read-marks.js').ReadMarks, kind: 'land'|'private'|'group'}} of */
  constructor({ api, people, selfId, marks, id, kind }) {
    super();
    this.#api = api;
    this.#people = people;
    this.#selfId = selfId;
    this.#marks = marks;
    this.id = id;
    this.kind = kind;
    this.name = null;
    this.members = []; // ids
    this.lastSeq = 0;
    this.readSeq = 0;
    this.lastMessage = null;
    this.turn = 0; // where it stands in the list: the highest first
    this.present = new Map(); // user_id → username, of a land
    this.presentCount = 0;
    this.typing = new Map(); // user_id → timer
    this.readBy = kind === 'land' ? new Map() : marks.of(id); // user_id → seq
    this.draft = '';
  }

  /** Takes in a session as the server describes it. */
  update(session) {
    this.name = session.name ?? this.name;
    if (session.members) this.members = session.members.map((member) => this.#people.learn(member).id);
    this.lastSeq = Math.max(this.lastSeq, session.last_seq ?? 0);
    this.readSeq = Math.max(this.readSeq, session.read_seq ?? 0);
    if (session.last_message && session.last_message.seq >= (this.lastMessage?.seq ?? 0)) {
      this.lastMessage = session.last_message;
      this.#wrote(session.last_message);
    }
    this.#watchedFrom ??= this.lastSeq + 1;
  }

  /** The connection is a new one: what was read between it and the last was not told. */
  unwatched() {
    this.#watchedFrom = null;
  }

  get unread() {
    return Math.max(0, this.lastSeq - this.readSeq);
  }

  /** @returns {string[]} ids of the members other than oneself */
  get others() {
    return this.members.filter((id) => id !== this.#selfId);
  }

  get title() {
    const name = legible(this.name ?? '', '');
    if (name) return name;
    const names = this.others.map((id) => this.#people.name(id));
    if (names.length <= GROUP_NAMES) return names.join(', ') || 'Just you';
    return `${names.slice(0, GROUP_NAMES).join(', ')} and ${names.length - GROUP_NAMES} more`;
  }

  /** When something was last said here, empty if never. */
  get latestAt() {
    return this.lastMessage?.created_at ?? '';
  }

  /**
   * Whether a message of one's own was read by somebody, as far as can be known: reading is told
   * as it happens, and what happened while nobody listened here may have been missed.
   * @returns {'read'|'unread'|'unknown'}
   */
  readingOf(seq) {
    if (this.readersOf(seq).length) return 'read';
    return this.#watchedFrom !== null && seq >= this.#watchedFrom ? 'unread' : 'unknown';
  }

  /** @returns {Row[]} oldest first, those on their way last */
  get rows() {
    const sent = [...this.#bySeq.values()].sort((a, b) => a.seq - b.seq);
    return [...sent, ...this.#pending.values()];
  }

  async readPage(page) {
    const answer = await this.#api.messages(this.id, page);
    for (const message of answer.messages) this.#put(message);
    return answer.next_before;
  }

  /** A message of the server's, live or from history. */
  receive(message) {
    const mine = message.client_id !== undefined && message.sender_id === this.#selfId;
    if (mine) this.#pending.delete(message.client_id);
    this.#put(message);
    if (message.seq >= this.lastSeq) {
      this.lastSeq = message.seq;
      this.lastMessage = message;
    }
    if (message.sender_id === this.#selfId) this.readSeq = Math.max(this.readSeq, message.seq);
    this.stopTyping(message.sender_id);
  }

  /** One of our own changed its state. */
  outgoing(message) {
    const row = { ...message, key: message.client_id, sender_id: this.#selfId };
    if (message.state !== 'sent') {
      this.#pending.set(message.client_id, row);
    } else {
      this.#pending.delete(message.client_id);
      this.#watchedFrom ??= row.seq;
      this.receive(row);
    }
  }

  discard(clientId) {
    this.#pending.delete(clientId);
  }

  /** A message was deleted, which need not be one of those loaded. */
  deleted(id) {
    this.#deletedIds.add(id);
    const row = [...this.#bySeq.values()].find((other) => other.id === id);
    if (row) this.#bySeq.set(row.seq, { ...row, content: '', state: 'deleted' });
    if (this.lastMessage?.id === id) this.lastMessage = { ...this.lastMessage, deleted: true };
  }

  read(userId, seq) {
    if (userId === this.#selfId) this.readSeq = Math.max(this.readSeq, seq);
    else this.#readTo(userId, seq);
  }

  /** @returns {string[]} ids of those who have read up to a message */
  readersOf(seq) {
    return [...this.readBy].filter(([, read]) => read >= seq).map(([userId]) => userId);
  }

  /** @param {() => void} expired  called when it fades without a word */
  startTyping(userId, expired) {
    this.stopTyping(userId);
    this.typing.set(userId, setTimeout(() => {
      this.typing.delete(userId);
      expired();
    }, TYPING_MS));
  }

  stopTyping(userId) {
    clearTimeout(this.typing.get(userId));
    this.typing.delete(userId);
  }

  #readTo(userId, seq) {
    if (seq <= (this.readBy.get(userId) ?? 0)) return;
    this.readBy.set(userId, seq);
    if (this.kind !== 'land') this.#marks.keep(this.id, this.readBy);
  }

  /** Who writes has read what came before, which is known of old messages too. */
  #wrote({ sender_id: senderId, seq }) {
    if (senderId && senderId !== this.#selfId) this.#readTo(senderId, seq);
  }

  #put(message) {
    if (message.deleted) this.#deletedIds.add(message.id);
    const known = this.#bySeq.get(message.seq);
    const state = message.deleted || this.#deletedIds.has(message.id) ? 'deleted' : 'sent';
    const key = known?.key ?? message.client_id ?? `seq-${message.seq}`;
    if (message.sender_id) this.#people.learn({ id: message.sender_id, username: message.sender_username });
    this.#wrote(message);
    this.#bySeq.set(message.seq, { ...known, ...message, key, state });
  }
}
