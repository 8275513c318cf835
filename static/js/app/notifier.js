// Tells by the browser's notifications what is written to one, and who calls, while no page of the browser's is looked at.
//
// Only for those who asked for it, in this browser. What a land or those near say is not for one alone, and stays out.

import { legible } from './names.js';

const KEY = 'hereabouts.notify';
const MOST = 160; // characters of a message
const CALL = 'call'; // in place of a conversation's id
/** Each page that is looked at holds a lock of this name and its own: one that ends, however it does, holds none. */
const LOOKED_AT = 'hereabouts.looked-at.';

export class Notifier {
  #app;
  #shown = new Map(); // conversation id, or CALL → Notification
  #lock = LOOKED_AT + Math.random();
  #lookAway = null; // lets go of the lock

  /** What was asked for, while the browser asks its user. @type {boolean|null} */
  wanted = null;

  /** @param {import('./app.js').App} app */
  constructor(app) {
    this.#app = app;
    const { signal } = app.hereabouts;
    app.conversations.on('message', ({ conversation, message }) => this.#message(conversation, message));
    app.conversations.on('changed', () => this.#closeRead());
    signal.on('incoming', (call) => this.#incoming(call));
    signal.on('call', ({ state }) => state === 'ringing' || this.#close(CALL));
    document.addEventListener('visibilitychange', () => this.#look());
    this.#look();
  }

  /** @returns {'on'|'off'|'refused'|'unsupported'} refused: by the browser, which its user told so */
  get state() {
    if (!globalThis.Notification) return 'unsupported';
    if (Notification.permission === 'denied') return 'refused';
    return Notification.permission === 'granted' && localStorage.getItem(KEY) === 'yes' ? 'on' : 'off';
  }

  /** Asks the browser's user, if need be. @param {boolean} on */
  async turn(on) {
    this.wanted = on;
    const granted = on && (await Notification.requestPermission()) === 'granted';
    if (on !== this.wanted) return; // thought better of meanwhile
    this.wanted = null;
    const allowed = granted && this.#works();
    localStorage.setItem(KEY, allowed ? 'yes' : 'no');
    this.#app.emit('changed');
  }

  clear() {
    for (const id of [...this.#shown.keys()]) this.#close(id);
  }

  #look() {
    this.#lookAway?.();
    this.#lookAway = null;
    if (document.visibilityState === 'hidden') return;
    // There are none where the page came without TLS, and no notifications either.
    navigator.locks?.request(this.#lock, () => document.visibilityState === 'visible' && new Promise((away) => { this.#lookAway = away; }));
  }

  async #looksElsewhere() {
    const { held } = await navigator.locks.query();
    return held.some(({ name }) => name.startsWith(LOOKED_AT) && name !== this.#lock);
  }

  /** Some browsers have them for installed pages alone, and say so by throwing. */
  #works() {
    try {
      new Notification('Hereabouts', { silent: true }).close();
      return true;
    } catch (error) {
      this.#app.notice('This browser shows no notifications for pages.', 'error');
      console.info('no notifications:', error.message);
      return false;
    }
  }

  #message(conversation, message) {
    const { people, hereabouts } = this.#app;
    const { kind, id } = conversation;
    const { sender_id: senderId, deleted, content } = message;
    if (kind === 'land' || deleted || senderId === hereabouts.user?.id || people.blocked.has(senderId)) return;
    const name = senderId ? people.name(senderId) : 'Somebody who left';
    this.#show(id, kind === 'group' ? `${name} in ${conversation.title}` : name, legible(content, '…'), () => this.#app.open(id));
  }

  #incoming({ remoteUser, type }) {
    const kind = type === 'video' ? 'Video call' : 'Call';
    this.#show(CALL, this.#app.people.name(remoteUser.id), `${kind} for you`, () => this.#app.set({ dialog: null }));
  }

  async #show(id, title, body, open) {
    if (document.visibilityState !== 'hidden' || this.state !== 'on' || await this.#looksElsewhere()) return;
    if (id === CALL && this.#app.hereabouts.signal.call?.state !== 'ringing') return; // over already
    const notification = new Notification(cut(title), { body: cut(body), tag: `hereabouts.${id}`, silent: true, requireInteraction: id === CALL });
    this.#shown.set(id, notification);
    notification.onclick = () => {
      globalThis.focus();
      this.#close(id);
      open();
    };
  }

  /** What was read, here or on another device, needs no telling any more. */
  #closeRead() {
    for (const id of [...this.#shown.keys()]) if (id !== CALL && !this.#app.conversations.get(id)?.unread) this.#close(id);
  }

  #close(id) {
    this.#shown.get(id)?.close();
    this.#shown.delete(id);
  }
}

function cut(text) {
  const letters = [...text];
  return letters.length > MOST ? `${letters.slice(0, MOST).join('')}…` : text;
}
