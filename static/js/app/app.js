// The demo page's one root object: the client library, the models over it, and
// what the page shows at the moment. Views read it and call its methods.

import { Emitter, Hereabouts } from '../client/index.js';
import { Conversations } from './conversations.js';
import { Lands } from './lands.js';
import { Notifier } from './notifier.js';
import { People } from './people.js';
import { NEARBY } from './spoken.js';
import { callEnding, deviceTrouble, inWords } from './words.js';
import { World } from './world.js';

const NOTICE_MS = 6_000;
const MOST_NOTICES = 4; // a caller who rings on and on should not paper the page with them
const RELAY_KEY = 'hereabouts.relay_only'; // of this browser: it is its address
const RETRY_MS = 4_000;
const LETTER_MS = 70; // and so much longer for a long one

/** How long the connection may be away before the map says so. */
export const AWAY_MS = 1_500;

/** What stands for an id in `openRoom`: wherever one stands, and one that is being opened. */
export const HERE = 'here';
export const OPENING = 'opening';

/**
 * @typedef {'map'|'chat'|'talks'|'people'} Tab  what a phone shows; a desktop shows all
 */
export class App extends Emitter {
  #lastNotice = 0;
  #retry = null;

  constructor() {
    super();
    this.hereabouts = new Hereabouts();
    this.hereabouts.signal.relayOnly = localStorage.getItem(RELAY_KEY) === 'yes';
    this.people = new People(this.hereabouts);
    this.lands = new Lands(this.hereabouts);
    this.world = new World(this.hereabouts, this.lands);
    this.conversations = new Conversations(this.hereabouts, this.people);
    /** @type {'starting'|'unreachable'|'signed_out'|'signed_in'} */
    this.phase = 'starting';
    this.signedOutReason = null;
    this.openRoom = HERE;
    /** @type {Tab} */
    this.tab = 'map';
    this.dialog = null; // {kind, …} of ui/dialogs.js
    this.menu = null; // {person, x, y}
    this.claiming = false;
    /** @type {import('../map/map.js').WorldMap|null} once it is there */
    this.map = null;
    this.notices = [];
    /** Since when there is no connection, in local milliseconds; and whether there was one in this login. */
    this.awaySince = null;
    this.wasConnected = false;
    this.#listen();
    this.notifier = new Notifier(this); // after the listeners that learn who somebody is
  }

  /** Takes up an earlier login, if there is one. */
  async start() {
    if (this.phase !== 'unreachable') this.set({ phase: 'starting' });
    clearTimeout(this.#retry);
    try {
      if (!(await this.hereabouts.auth.restore())) this.set({ phase: 'signed_out' });
    } catch (error) {
      if (!error.transient) throw error;
      this.set({ phase: 'unreachable' });
      this.#retry = setTimeout(() => this.start(), RETRY_MS);
    }
  }

  /** Changes what is shown. */
  set(changes) {
    Object.assign(this, changes);
    this.emit('changed');
  }

  /**
   * The one in the chat panel: where one stands that is the land's, and nearby on nobody's land and where one may not join.
   * @returns {import('./conversation.js').Conversation|import('./spoken.js').Spoken|null} null while it is not known
   */
  get conversation() {
    const { here, nearby } = this.conversations;
    if (this.openRoom !== HERE) return this.conversations.get(this.openRoom) ?? null;
    const entering = this.world.landId !== null && !this.keptOut;
    return here ?? (nearby.ready && !entering ? nearby : null);
  }

  /** Whether the land underfoot is not one's to join. */
  get keptOut() {
    const { landError } = this.conversations;
    return landError !== null && landError.landId === this.world.landId;
  }

  open(roomId) {
    this.set({ openRoom: roomId, tab: 'chat', menu: null, dialog: null });
    const { conversation } = this;
    if (conversation && !conversation.loaded) this.conversations.load(conversation);
  }

  /** Opens the private conversation with somebody. */
  async write(person) {
    // At once, so that what is typed meanwhile cannot go to the room that was open before.
    this.set({ openRoom: OPENING, tab: 'chat', menu: null });
    const opened = await this.attempt(async () => this.open((await this.conversations.withPerson(person.id)).id));
    if (!opened) this.open(HERE);
  }

  call(person, type) {
    this.set({ menu: null, dialog: null });
    this.attempt(() => this.hereabouts.signal.startCall({ id: person.id, username: person.username }, type));
  }

  /** @param {boolean} on  whether the other side of a call learns the relay's address alone */
  hideAddress(on) {
    this.hereabouts.signal.relayOnly = on;
    localStorage.setItem(RELAY_KEY, on ? 'yes' : 'no');
    this.emit('changed');
  }

  /** Says something in passing, in words, for a few seconds. */
  notice(text, tone = 'info') {
    const notice = { id: ++this.#lastNotice, text, tone };
    this.set({ notices: [...this.notices, notice].slice(-MOST_NOTICES) });
    setTimeout(() => this.set({ notices: this.notices.filter((other) => other !== notice) }),
      Math.max(NOTICE_MS, text.length * LETTER_MS));
  }

  /**
   * Runs something that the user asked for, and says in words what the server refused.
   * @returns {Promise<boolean>} whether it went well
   */
  async attempt(action) {
    try {
      await action();
      return true;
    } catch (error) {
      if (!error.code) throw error;
      this.notice(inWords(error), 'error');
      return false;
    }
  }

  #listen() {
    const { auth, chat, signal, voice } = this.hereabouts;
    const changed = () => this.emit('changed');
    for (const model of [this.people, this.lands, this.world, this.conversations]) model.on('changed', changed);
    for (const type of ['change', 'talking']) voice.on(type, changed);
    auth.on('signed_in', () => this.#signedIn());
    auth.on('signed_out', ({ reason }) => this.#signedOut(reason));
    chat.on('state', ({ state }) => this.#connectionChanged(state));
    // Only what has no answer fails without a `ref`: typing, which is nobody's concern but a developer's.
    chat.on('error', ({ ref, message }) => ref ?? console.warn('refused:', message));
    signal.on('call', (call) => {
      if (call.state === 'ended') this.notice(callEnding(call, this.people.name(call.remoteUser.id)));
      this.emit('changed');
    });
    for (const type of ['incoming', 'resumed']) signal.on(type, ({ remoteUser }) => this.people.learn(remoteUser));
    signal.on('trouble', (trouble) => this.notice(deviceTrouble(trouble), trouble.error ? 'error' : 'info'));
    this.world.on('land', (landId) => {
      // What is being said aloud does not become a message to a land for a step.
      if (this.openRoom === HERE && !this.conversations.here && this.conversations.writing.speaking) this.openRoom = NEARBY;
      this.conversations.moveTo(landId);
    });
    // A room that could not be entered, or closed, is tried again when next stepped on.
    this.conversations.on('lost', () => { if (!this.conversations.landError) this.world.landId = null; });
    this.conversations.on('message', ({ conversation, message }) => {
      if (conversation.kind === 'land' && !message.deleted) this.world.say(message.sender_id, message.content);
    });
    globalThis.addEventListener('online', () => this.hereabouts.retryNow());
  }

  #connectionChanged(state) {
    if (state === 'open' && this.wasConnected && this.awaySince < Date.now() - AWAY_MS) this.notice('Connected again');
    this.awaySince = state === 'open' ? null : this.awaySince ?? Date.now();
    this.wasConnected ||= state === 'open';
    this.emit('changed');
  }

  #signedIn() {
    this.people.learn(this.hereabouts.user);
    this.world.start();
    this.set({ phase: 'signed_in', signedOutReason: null, openRoom: HERE, tab: 'map' });
    // Registering and logging in answer without the settings.
    if (this.hereabouts.user.invisible === undefined) this.attempt(() => this.refreshUser());
  }

  async refreshUser() {
    Object.assign(this.hereabouts.user, await this.hereabouts.api.me());
    this.emit('changed');
  }

  #signedOut(reason) {
    Object.assign(this, { awaySince: null, wasConnected: false });
    this.world.stop();
    this.notifier.clear();
    for (const model of [this.people, this.lands, this.conversations]) model.reset();
    this.set({ phase: 'signed_out', signedOutReason: reason, dialog: null, menu: null, claiming: false });
  }
}
