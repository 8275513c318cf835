// All the conversations of the user: private and group sessions, the land underfoot, and what is
// said aloud nearby. Turns the chat socket's events into their objects and tells `changed`.

import { Emitter } from '../client/index.js';
import { Conversation } from './conversation.js';
import { ReadMarks } from './read-marks.js';
import { NEARBY, Spoken } from './spoken.js';
import { Writing } from './writing.js';

const MOST_ATTENDED = 50; // sessions whose presence is followed, the latest

export class Conversations extends Emitter {
  #hereabouts;
  #people;
  #byId = new Map();
  #attended = new Set(); // room ids
  #turn = 0; // of the conversation that something last happened in
  #wantedLand = null;
  #moving = false;

  constructor(hereabouts, people) {
    super();
    this.#hereabouts = hereabouts;
    this.#people = people;
    /** @type {Conversation|null} the land that the user stands in, once joined */
    this.here = null;
    /** What is said aloud where one stands. */
    this.nearby = new Spoken(hereabouts, people);
    /** Why the land underfoot could not be joined. */
    this.landError = null;
    /** What the user writes in them. */
    this.writing = new Writing(hereabouts);
    hereabouts.auth.on('signed_in', () => this.writing.takeUp(this.nearby));
    this.#listen(hereabouts.chat);
  }

  /** @returns {Conversation[]} private and group sessions, the latest first */
  get list() {
    return [...this.#byId.values()]
      .filter(({ kind }) => kind !== 'land')
      .sort((a, b) => b.turn - a.turn);
  }

  /** How much was written and not read. What is said aloud nearby is not: where many stand, it would climb and climb. */
  get unread() {
    return this.list.reduce((sum, { unread }) => sum + unread, 0) + (this.here?.unread ?? 0);
  }

  get(roomId) {
    return roomId === NEARBY ? this.nearby : this.#byId.get(roomId);
  }

  /** Loads the newest messages of a conversation, if they are not there yet. */
  async load(conversation) {
    await this.#loading(conversation, () => conversation.load());
  }

  /** Once more what did not come. */
  async loadAgain(conversation) {
    await (conversation.loaded ? this.loadOlder(conversation) : this.load(conversation));
  }

  async loadOlder(conversation) {
    await this.#loading(conversation, () => conversation.loadOlder());
  }

  /** The private session with somebody, made if there is none. @returns {Promise<Conversation>} */
  async withPerson(userId) {
    return this.#take(await this.#hereabouts.api.createSession([userId]));
  }

  /** @returns {Promise<Conversation>} */
  async createGroup(userIds, name) {
    return this.#take(await this.#hereabouts.api.createSession(userIds, name));
  }

  async leaveGroup(conversation) {
    const { api, user } = this.#hereabouts;
    await api.removeMember(conversation.id, user.id);
    new ReadMarks(user.id).forget(conversation.id);
    this.#drop(conversation.id);
  }

  async deleteMessage(conversation, row) {
    await this.#hereabouts.api.deleteMessage(conversation.id, row.id);
    conversation.deleted(row.id);
    this.emit('changed');
  }

  discard(conversation, clientId) {
    this.writing.discard(clientId);
    conversation.discard(clientId);
    this.emit('changed');
  }

  /** Marks everything in a conversation as read, here and at the server. */
  async markRead(conversation) {
    if (!conversation.unread) return;
    if (conversation === this.nearby) {
      conversation.unread = 0;
      this.emit('changed');
      return;
    }
    const seq = conversation.lastSeq;
    conversation.readSeq = seq;
    this.emit('changed');
    try {
      await this.#hereabouts.chat.markRead(conversation.id, seq);
    } catch (error) {
      // Unread counts come again from the server after a reconnect.
      if (!error.transient) throw error;
    }
  }

  /** The land underfoot changed: leaves the room of the old one and joins that of the new. */
  async moveTo(landId) {
    this.#wantedLand = landId;
    if (this.#moving) return;
    this.#moving = true;
    try {
      while ((this.here?.id ?? null) !== this.#wantedLand) await this.#move(this.#wantedLand);
    } finally {
      this.#moving = false;
    }
  }

  reset() {
    this.#byId.clear();
    this.#attended.clear();
    this.here = null;
    this.nearby = new Spoken(this.#hereabouts, this.#people);
    this.landError = null;
    this.#wantedLand = null;
    this.writing.forget();
  }

  async #move(landId) {
    const { chat } = this.#hereabouts;
    this.landError = null;
    try {
      if (this.here) {
        const left = this.here;
        this.here = null;
        this.#byId.delete(left.id);
        this.emit('changed');
        await chat.leave(left.id);
      }
      if (landId !== null) this.here = this.#enter(await chat.join(landId));
    } catch (error) {
      // Off line, the next report of the position brings the land again.
      if (landId === this.#wantedLand) this.#wantedLand = null;
      if (!error.transient) this.landError = { landId, error };
      this.emit('lost');
    }
    this.emit('changed');
    if (!this.here) return;
    this.writing.restore(this.here);
    this.load(this.here);
  }

  #enter({ room_id: id, members, member_count: count, last_seq: lastSeq }) {
    const conversation = this.#conversation(id, 'land');
    conversation.lastSeq = lastSeq;
    conversation.readSeq = lastSeq;
    this.#setPresent(conversation, members, count);
    return conversation;
  }

  #setPresent(conversation, members, count) {
    conversation.present = new Map(members.map((member) => [member.user_id, member.username]));
    conversation.presentCount = count;
    for (const member of members) this.#people.learn(member).online = true;
  }

  #listen(chat) {
    const inRoom = (type, handle) => chat.on(type, (frame) => {
      const conversation = this.get(frame.room_id ?? NEARBY);
      if (!conversation) return;
      handle(conversation, frame);
      this.emit('changed');
    });

    chat.on('synced', ({ sessions }) => this.#synced(sessions));
    chat.on('connected', () => {
      for (const conversation of this.#byId.values()) conversation.unwatched();
    });
    chat.on('session_created', ({ session }) => this.#take(session));
    chat.on('message', (message) => this.#message(message));
    chat.on('speech', (speech) => {
      this.nearby.receive(speech);
      this.emit('changed');
    });
    chat.on('location_updated', () => this.#placed());
    chat.on('room_lost', ({ room_id: roomId }) => this.#drop(roomId));
    chat.on('room_closed', ({ room_id: roomId }) => this.#drop(roomId));
    // Unasked: the land's owner took one off the guest list. Who walks out is not `here` any more.
    chat.on('left_room', ({ room_id: roomId }) => roomId === this.here?.id && this.#drop(roomId));
    inRoom('outgoing', (conversation, message) => {
      if (message.state === 'sent' && message.seq > conversation.lastSeq) conversation.turn = ++this.#turn;
      conversation.outgoing(message);
    });
    inRoom('message_deleted', (conversation, { id }) => conversation.deleted(id));
    inRoom('read', (conversation, { user_id: userId, seq }) => conversation.read(userId, seq));
    inRoom('joined_room', (conversation, { members, member_count: count }) => this.#setPresent(conversation, members, count));
    inRoom('resumed', (conversation, { members, member_count: count, complete }) => {
      this.#setPresent(conversation, members, count);
      // Too much was missed to say what was deleted meanwhile: the newest page shows it.
      if (!complete && conversation.loaded) this.load(conversation);
    });
    inRoom('user_joined', (conversation, { user_id: userId, username }) => {
      if (!conversation.present.has(userId)) conversation.presentCount += 1;
      conversation.present.set(userId, username);
    });
    inRoom('user_left', (conversation, { user_id: userId }) => {
      if (conversation.present.delete(userId)) conversation.presentCount -= 1;
      conversation.stopTyping(userId);
    });
    inRoom('room_count', (conversation, { member_count: count }) => {
      conversation.presentCount = count;
    });
    inRoom('typing', (conversation, { user_id: userId, username, is_typing: isTyping }) => {
      if (userId === this.#hereabouts.user.id) return;
      this.#people.learn({ id: userId, username });
      if (isTyping) conversation.startTyping(userId, () => this.emit('changed'));
      else conversation.stopTyping(userId);
    });
    inRoom('members_changed', (conversation, { added, removed }) => this.#membersChanged(conversation, added, removed));
  }

  #synced(sessions) {
    const own = sessions.filter(({ kind }) => kind !== 'land');
    for (const session of own) this.#conversation(session.id, session.kind).update(session);
    for (const { id } of own) this.writing.restore(this.#byId.get(id));
    this.#order(own);
    for (const conversation of [this.nearby, ...this.#byId.values()]) if (conversation.error) this.loadAgain(conversation);
    for (const session of own.slice(0, MOST_ATTENDED)) this.#attend(session.id);
    this.emit('changed');
  }

  #placed() {
    if (this.nearby.ready) return;
    this.nearby.ready = true;
    this.writing.restore(this.nearby);
    this.emit('changed');
  }

  /**
   * The server's order, the latest first, which knows when an empty session was made; on top of it
   * what happened while the list was on its way.
   */
  #order(sessions) {
    const upToDate = ({ id, last_seq: seq }) => this.#byId.get(id).lastSeq <= seq;
    const listed = sessions.filter(upToDate).map(({ id }) => this.#byId.get(id));
    const known = new Set(listed);
    const fresher = this.list.filter((conversation) => !known.has(conversation));
    for (const conversation of [...fresher, ...listed].reverse()) conversation.turn = ++this.#turn;
  }

  async #message(message) {
    const conversation = this.#byId.get(message.room_id) ?? await this.#unknown(message.room_id);
    if (conversation && message.seq >= conversation.lastSeq) conversation.turn = ++this.#turn;
    conversation?.receive(message);
    this.emit('changed');
    if (conversation) this.emit('message', { conversation, message });
  }

  /** A message of a session that the list does not have yet. */
  async #unknown(roomId) {
    if (roomId === this.#wantedLand) return null; // the room is just being entered: history has it
    try {
      const session = await this.#hereabouts.api.session(roomId);
      if (!this.#hereabouts.user) return null; // signed out meanwhile
      return session.kind === 'land' ? null : this.#take(session);
    } catch (error) {
      if (error.code === 'not_found' || error.transient) return null;
      throw error;
    }
  }

  #membersChanged(conversation, added, removed) {
    const idOf = (member) => (typeof member === 'string' ? member : this.#people.learn(member).id);
    const gone = new Set(removed.map(idOf));
    if (gone.has(this.#hereabouts.user.id)) return this.#drop(conversation.id);
    conversation.members = [...new Set([...conversation.members, ...added.map(idOf)])].filter((id) => !gone.has(id));
  }

  #take(session) {
    const conversation = this.#conversation(session.id, session.kind);
    conversation.update(session);
    this.#hereabouts.chat.follow(session);
    this.#attend(session.id);
    this.emit('changed');
    return conversation;
  }

  /** Joins a session's room: messages come anyway, but presence is told to those who joined. */
  async #attend(roomId) {
    if (this.#attended.has(roomId)) return;
    this.#attended.add(roomId);
    try {
      await this.#hereabouts.chat.join(roomId);
    } catch (error) {
      this.#attended.delete(roomId);
      if (!error.transient && error.code !== 'not_found') throw error;
    }
  }

  #conversation(id, kind) {
    if (!this.#byId.has(id)) {
      const { api, user } = this.#hereabouts;
      const marks = new ReadMarks(user.id);
      this.#byId.set(id, new Conversation({ api, people: this.#people, selfId: user.id, marks, id, kind }));
      this.#byId.get(id).turn = ++this.#turn;
      this.writing.takeUp(this.#byId.get(id));
    }
    return this.#byId.get(id);
  }

  #drop(roomId) {
    this.#byId.delete(roomId);
    this.#attended.delete(roomId);
    if (this.here?.id === roomId) {
      this.here = null;
      this.#wantedLand = null;
      this.emit('lost');
    }
    this.emit('changed');
  }

  async #loading(conversation, load) {
    const done = load();
    this.emit('changed');
    await done;
    this.emit('changed');
  }
}
