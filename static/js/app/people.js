// Everybody this page has heard of: names, who is online, who is blocked.
//
// Events name people by id and username only; display names are fetched once
// per person, one after the other, and views are told by `changed`.

import { Emitter } from '../client/index.js';
import { legible } from './names.js';

const ONLINE_POLL_MS = 30_000;

export class People extends Emitter {
  #hereabouts;
  #known = new Map(); // id → {id, username, display_name?, shown?, online, last_seen?}
  #wanted = []; // ids whose display name is still to be fetched
  #asked = new Set();
  #fetching = false;
  #poll = null;
  #told = new Set(); // ids whose presence was told since the list was last asked for

  constructor(hereabouts) {
    super();
    this.#hereabouts = hereabouts;
    this.blocked = new Set();
    const { chat } = hereabouts;
    chat.on('presence_update', (frame) => {
      this.learn(frame).online = frame.status === 'online';
      this.#known.get(frame.user_id).last_seen = frame.last_seen;
      this.#told.add(frame.user_id);
      this.emit('changed');
    });
    chat.on('user_joined', (frame) => this.learn(frame));
    chat.on('synced', () => this.#start());
  }

  /** @returns {object[]} those online, oneself and the blocked left out, by name */
  get online() {
    return [...this.#known.values()]
      .filter(({ id, online }) => online && id !== this.#hereabouts.user?.id && !this.blocked.has(id))
      .sort((a, b) => this.name(a.id).localeCompare(this.name(b.id)));
  }

  /** Takes in a user as any frame or answer names one. @returns {object} the record kept */
  learn({ id, user_id: userId = id, username, display_name: displayName }) {
    let person = this.#known.get(userId);
    if (!person) {
      person = { id: userId, username, online: false };
      this.#known.set(userId, person);
    }
    if (username) person.username = username;
    if (displayName !== undefined && displayName !== person.display_name) {
      person.display_name = displayName;
      person.shown = legible(displayName, '');
    }
    return person;
  }

  get(userId) {
    return this.#known.get(userId);
  }

  /** The name to show, fetched if need be; a placeholder until it is known. */
  name(userId) {
    const person = this.#known.get(userId);
    if (!person || person.display_name === undefined) this.#want(userId);
    return person?.shown || person?.username || 'Somebody';
  }

  /** @returns {Promise<object>} @throws `not_found` */
  async find(username) {
    return this.learn(await this.#hereabouts.api.userNamed(username));
  }

  async block(userId) {
    await this.#hereabouts.api.block(userId);
    this.blocked.add(userId);
    this.#blocksChanged();
  }

  async unblock(userId) {
    await this.#hereabouts.api.unblock(userId);
    this.blocked.delete(userId);
    this.#blocksChanged();
  }

  #blocksChanged() {
    this.emit('changed');
    this.#refresh(); // a list that is on its way may be from before
  }

  reset() {
    clearInterval(this.#poll);
    this.#told = new Set(); // a list that is on its way is not for whoever signs in next
    this.#known.clear();
    this.#asked.clear();
    this.#wanted = [];
    this.blocked.clear();
  }

  #start() {
    clearInterval(this.#poll);
    this.#poll = setInterval(() => this.#refresh(), ONLINE_POLL_MS);
    this.#refresh();
  }

  /** Presence events reach only those concerned; the list of everybody online is polled. */
  async #refresh() {
    const { api, chat } = this.#hereabouts;
    // Of those who came or went while the list was on its way, it does not know.
    const told = this.#told = new Set();
    if (chat.state !== 'open') return;
    try {
      const [{ users }, blocks] = await Promise.all([api.onlineUsers(), api.blocks()]);
      if (told !== this.#told) return; // a newer one is on its way
      const online = new Set(users.map((user) => this.learn(user)));
      for (const person of this.#known.values()) {
        if (!told.has(person.id)) person.online = online.has(person);
      }
      for (const user of blocks.users) this.learn(user);
      this.blocked = new Set(blocks.users.map(({ id, user_id: userId = id }) => userId));
      this.emit('changed');
    } catch (error) {
      if (!error.transient) throw error; // else the next round, or the next connection, has it
    }
  }

  #want(userId) {
    if (!userId || this.#asked.has(userId)) return;
    this.#asked.add(userId);
    this.#wanted.push(userId);
    if (!this.#fetching) this.#fetchWanted();
  }

  async #fetchWanted() {
    this.#fetching = true;
    while (this.#wanted.length) {
      const userId = this.#wanted.shift();
      try {
        this.learn(await this.#hereabouts.api.user(userId));
        this.emit('changed');
      } catch (error) {
        // A deleted account keeps its placeholder; what may pass is asked for again.
        if (error.transient) this.#asked.delete(userId);
      }
    }
    this.#fetching = false;
  }
}
