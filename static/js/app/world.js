// Where everybody is: walks the user's own avatar and tells the server each step, and keeps those in view, a little
// behind what the server told, so that they walk as smoothly as oneself.
//
// Positions are in world units, y growing downwards as on the screen. The map calls `step` and reads this object at every
// frame; `changed` tells lists that people or the land underfoot are different; `moved` that one is elsewhere at once.

import { Emitter } from '../client/index.js';
import { Trail } from '../map/trail.js';
import { keepApart } from './hues.js';
import { legible } from './names.js';

export const EARSHOT = 10;
export const MAIN_WORLD = 'main';
const SIGHT = 50; // the widest radius the server answers
const SPEED = 7; // units a second
const REPORT_MS = 100; // the server's own tick: told more often, nobody would see more
const LAND_MS = 1_000; // where the lands known here say otherwise than the server did
const SCATTER = 0.8 * EARSHOT; // units across, around the middle: all who begin there hear each other well
const ARRIVAL_MS = 3_000; // in which it is seen who is there
const APART = 1.5; // units that it takes to see two as two
const BESIDE = 2.5; // units from somebody one talks to
const FADE_MS = 400;
const SPEECH_MS = 6_000;
const WORDS_FADE_MS = 500; // at least as long as the map takes for it
const LISTS_MS = 700; // lists beside the map are read, not watched
/** Above so many in view the server may tell some of them less often than every tick (docs/protocol.md). */
const EVERY_TICK = 100;

/**
 * @typedef {{id: string, username: string, x: number, y: number, distance: number, opacity: number, moving: boolean,
 *   heading: number}} Person  as drawn now; `distance` is Chebyshev's, `heading` in radians
 */
export class World extends Emitter {
  #hereabouts;
  #lands;
  #told = null; // the place the server knows on this connection, or is about to
  #tellAt = 0; // not before this, of performance.now()
  #newUntil = 0; // for one who has never been here; Infinity while the server does not know where they stand, 0 for others
  #entering = false; // between two worlds: what comes until the snapshot is of the former
  #hears = false;
  #moved = false; // at the last step
  #listsAt = 0;
  #listsTimer = null;

  /**
   * @param {import('../client/index.js').Hereabouts} hereabouts
   * @param {import('./lands.js').Lands} lands
   */
  constructor(hereabouts, lands) {
    super();
    this.#hereabouts = hereabouts;
    this.#lands = lands;
    this.id = MAIN_WORLD;
    this.self = { x: 0, y: 0, moving: false, heading: Math.PI / 2 };
    /** @type {Map<string, Person>} others, in the order they came */
    this.people = new Map();
    /** What was just said: user_id → {text, until}. */
    this.speech = new Map();
    this.hasWalked = false; // on this page
    this.target = null; // where a click sent the avatar
    this.direction = { x: 0, y: 0 }; // held keys
    /** The land underfoot by the server's word, which decides the room. */
    this.landId = null;
    const { chat } = hereabouts;
    chat.on('nearby_snapshot', ({ users }) => this.#see(users));
    chat.on('nearby_update', (frame) => this.#entering || this.#update(frame));
    // The server forgets where one is with the connection; and what was said meanwhile is not said now.
    chat.on('state', ({ state }) => {
      this.#hears = false;
      if (state !== 'open') this.#told = null;
    });
    chat.on('synced', () => {
      this.#hears = true;
      if (!this.#told) this.#tell(); // in a hidden tab nothing steps
    });
    chat.on('speech', ({ sender_id: userId, content }) => this.#hears && this.say(userId, content));
    globalThis.addEventListener('storage', ({ key }) => this.#follow(key));
  }

  /** Begins where this person last stood in this browser, or somewhere near the middle. */
  start() {
    this.#arrive(localStorage.getItem(this.#worldKey) ?? MAIN_WORLD);
    this.#hereabouts.chat.watchNearby(SIGHT);
  }

  stop() {
    clearTimeout(this.#listsTimer);
    this.#listsTimer = null;
    this.#leave();
    this.direction = { x: 0, y: 0 };
    this.landId = null;
  }

  /** Goes over into another world. @param {string} worldId  letters, digits, `_ - .`; 64 at most */
  enter(worldId) {
    if (worldId === this.id) return;
    localStorage.setItem(this.#worldKey, worldId);
    this.#cross(worldId);
  }

  /** @returns {string[]} the worlds this person has been in from this browser */
  get visited() {
    const prefix = `hereabouts.place.${this.#hereabouts.user.id}.`;
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)).sort();
  }

  /** Sends the avatar walking to a point. */
  walkTo(x, y) {
    this.target = { x, y };
  }

  /** @returns {Person[]} others in sight, nearest first */
  get nearby() {
    return [...this.people.values()].filter(({ leftAt }) => !leftAt).sort((a, b) => a.distance - b.distance);
  }

  /** Shows words over an avatar for a while. */
  say(userId, text) {
    this.speech.set(userId, { text: legible(text, '…'), until: performance.now() + SPEECH_MS });
    this.emit('changed');
  }

  /**
   * @param {number} seconds since the last frame @param {number} now  of performance.now()
   * @returns {boolean} whether anybody walks, comes or goes, or words fade
   */
  step(seconds, now) {
    this.#walk(Math.min(seconds, 0.1));
    let moves = this.self.moving || this.#hereabouts.voice.talking.size > 0; // the marks of those who talk do
    for (const person of this.people.values()) {
      this.#draw(person, now);
      moves ||= person.moving || person.opacity < 1;
    }
    for (const [userId, { until }] of this.speech) {
      if (until < now) this.speech.delete(userId);
      moves ||= until < now + WORDS_FADE_MS;
    }
    if (now >= this.#tellAt) this.#keepTold(now);
    // And once more where all have come to stand: lists say how far off they are, and who hears.
    if (moves || this.#moved) this.#listsChanged();
    this.#moved = moves;
    return moves;
  }

  #keepTold(now) {
    // A land was made or given up underfoot, or its room was lost: the answer says where one is.
    const elsewhere = (this.#lands.at(this.self.x, this.self.y)?.id ?? null) !== this.landId;
    this.#tell(elsewhere && now >= this.#tellAt + LAND_MS);
  }

  get #worldKey() {
    return `hereabouts.world.${this.#hereabouts.user.id}`;
  }

  get #placeKey() {
    return `hereabouts.place.${this.#hereabouts.user.id}.${this.id}`;
  }

  #walk(seconds) {
    const { self, direction } = this;
    let { x: dx, y: dy } = direction;
    let reach = Infinity;
    if (dx || dy) this.target = null;
    else if (this.target) {
      dx = this.target.x - self.x;
      dy = this.target.y - self.y;
      reach = Math.hypot(dx, dy);
    }
    const length = Math.hypot(dx, dy);
    self.moving = length > 0;
    this.hasWalked ||= self.moving;
    if (!self.moving) {
      this.target = null;
      return;
    }
    this.#newUntil = 0;
    const stride = Math.min(SPEED * seconds, reach);
    self.heading = Math.atan2(dy, dx);
    self.x += (dx / length) * stride;
    self.y += (dy / length) * stride;
    if (stride === reach) this.target = null;
  }

  #draw(person, now) {
    const { x, y, heading } = person.trail.at(now);
    const { self } = this;
    person.x = x;
    person.y = y;
    person.distance = Math.max(Math.abs(x - self.x), Math.abs(y - self.y));
    person.moving = heading !== null;
    if (person.moving) person.heading = heading;
    person.opacity = Math.min(1, (now - person.trail.appearedAt) / FADE_MS);
    if (!person.leftAt) return;
    person.opacity = Math.min(person.opacity, 1 - (now - person.leftAt) / FADE_MS);
    if (person.opacity <= 0) this.people.delete(person.id);
  }

  /** Tells the server where one is, if it does not know, or `anew`. */
  async #tell(anew = false) {
    const { chat, user } = this.#hereabouts;
    const { id: worldId } = this;
    const [x, y] = [round(this.self.x), round(this.self.y)];
    if (!user || chat.state !== 'open' || (!anew && this.#told?.x === x && this.#told.y === y)) return;
    this.#told = { x, y };
    localStorage.setItem(this.#placeKey, JSON.stringify({ x, y }));
    this.#tellAt = performance.now() + REPORT_MS;
    try {
      const answer = await chat.updateLocation({ x, y, world_id: worldId });
      if (worldId !== this.id) return;
      this.#stepOnto(answer.land_id ?? null);
      this.#newUntil = Math.min(this.#newUntil, performance.now() + ARRIVAL_MS);
    } catch (error) {
      if (!error.transient) throw error;
      this.#told = null; // and so it is told again
      this.#tellAt = performance.now() + (error.retryAfter ?? 0) * 1000 + REPORT_MS;
    }
  }

  /** Of several tabs of one person, those that stand still follow the one that walks. */
  #follow(key) {
    if (!this.#hereabouts.user) return;
    if (key === this.#worldKey) this.#cross(localStorage.getItem(key));
    if (key !== this.#placeKey || this.self.moving) return;
    Object.assign(this.self, JSON.parse(localStorage.getItem(key)));
    this.#newUntil = 0; // who walks in another tab is no newcomer in this one
    if (this.#told) this.#told = { x: this.self.x, y: this.self.y }; // by the other tab
  }

  #cross(worldId) {
    this.#leave();
    this.#stepOnto(null);
    this.#arrive(worldId);
    this.#tell();
    this.#entering = true;
    this.#hereabouts.chat.watchNearby(SIGHT);
    this.emit('changed');
  }

  #leave() {
    this.people.clear();
    this.speech.clear();
    this.target = null;
  }

  #arrive(worldId) {
    const scatter = () => round((Math.random() - 0.5) * SCATTER);
    this.id = worldId;
    this.#lands.enter(worldId);
    const place = localStorage.getItem(this.#placeKey);
    Object.assign(this.self, place ? JSON.parse(place) : { x: scatter(), y: scatter() });
    this.#newUntil = place ? 0 : Infinity;
    this.#told = null;
    this.#entering = false;
    this.emit('moved');
  }

  #stepOnto(landId) {
    if (landId === this.landId) return;
    this.landId = landId;
    this.emit('land', landId);
    this.emit('changed');
  }

  #see(users) {
    const now = performance.now();
    const seen = new Set(users.map(({ user_id: id }) => id));
    for (const person of this.people.values()) if (!seen.has(person.id)) person.leftAt ??= now;
    this.#entering = false;
    this.#enter(users, now);
    this.#listsChanged();
  }

  #update({ entered, moved, left }) {
    const now = performance.now();
    const { nearby } = this.#hereabouts.chat;
    for (const id of left) {
      const person = this.people.get(id);
      if (person) person.leftAt ??= now;
    }
    this.#enter(entered, now);
    for (const [id, x, y] of moved) this.people.get(id)?.trail.push(now, { x, y }, nearby.size > EVERY_TICK);
    this.#listsChanged();
  }

  #enter(users, now) {
    if (!users.length) return;
    for (const { user_id: id, username, x, y } of users) {
      const known = this.people.get(id);
      if (known && !known.leftAt) {
        known.trail.push(now, { x, y });
        continue;
      }
      this.people.delete(id); // and so comes last again
      this.people.set(id, { id, username, trail: new Trail(now, { x, y }), heading: Math.PI / 2 });
      this.#draw(this.people.get(id), now);
    }
    if (this.#newUntil && this.#newUntil !== Infinity) this.#joinSomebody(now); // until then: whoever is elsewhere
    // In the order they came, so that nobody changes colour for a newcomer.
    keepApart([this.#hereabouts.user.id, ...this.people.keys()]);
  }

  /** Nobody begins alone where others are, or where somebody stands: such a newcomer is put beside the nearest. */
  #joinSomebody(now) {
    const { self } = this;
    const [nearest] = this.nearby;
    if (now < this.#newUntil && (nearest?.distance > EARSHOT || nearest?.distance < APART)) {
      const { x, y } = nearest;
      const way = Math.atan2(self.y - y, self.x - x);
      Object.assign(self, { x: x + Math.cos(way) * BESIDE, y: y + Math.sin(way) * BESIDE });
      this.emit('moved');
    }
    this.#newUntil = 0;
  }

  /** At once, and then no more often than anybody reads. */
  #listsChanged() {
    if (this.#listsTimer) return;
    this.#listsTimer = setTimeout(() => {
      this.#listsTimer = null;
      this.#listsAt = performance.now();
      this.emit('changed');
    }, Math.max(0, this.#listsAt + LISTS_MS - performance.now()));
  }
}

/** A thousandth of a unit is finer than a pixel. */
function round(value) {
  return Math.round(value * 1000) / 1000;
}
