// Where everybody is: walks the user's own avatar, tells the server once a
// second, and moves others smoothly between its answers.
//
// Positions are in world units, y growing downwards as on the screen. The map
// reads this object at every frame; `changed` tells lists that people or the
// land underfoot are different.

import { Emitter } from '../client/index.js';
import { keepApart } from './hues.js';
import { legible } from './names.js';

export const EARSHOT = 10;
const SIGHT = 50; // the widest radius the server answers
const SPEED = 7; // units a second
const REPORT_MS = 1_000;
const EARLY_REPORT_MS = 250;
const GLIDE_MS = 1_100; // a little over the report interval, so that a walk does not stutter
const FADE_MS = 400;
const SPEECH_MS = 6_000;

export class World extends Emitter {
  #hereabouts;
  #lands;
  #timer = null;
  #reportedAt = 0;
  #reporting = false;
  #walked = false; // since the last report

  /**
   * @param {import('../client/index.js').Hereabouts} hereabouts
   * @param {import('./lands.js').Lands} lands
   */
  constructor(hereabouts, lands) {
    super();
    this.#hereabouts = hereabouts;
    this.#lands = lands;
    this.self = { x: 0, y: 0, moving: false, heading: Math.PI / 2 };
    /** Others: user_id → {id, username, x, y, distance, opacity, moving, …}. */
    this.people = new Map();
    /** What was just said: user_id → {text, until}. */
    this.speech = new Map();
    this.target = null; // where a click sent the avatar
    this.direction = { x: 0, y: 0 }; // held keys
    /** The land underfoot by the server's word, which decides the room. */
    this.landId = null;
    hereabouts.chat.on('nearby_users', (frame) => this.#see(frame));
    hereabouts.chat.on('synced', () => this.#report());
  }

  /** Begins where this person last stood in this browser, or somewhere near the middle. */
  start() {
    const scatter = () => Math.round((Math.random() - 0.5) * 16);
    Object.assign(this.self, { x: scatter(), y: scatter() });
    this.landId = null;
    this.#walked = localStorage.getItem(this.#placeKey) === null;
    this.#sharePlace();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#report(), REPORT_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.people.clear();
    this.speech.clear();
    this.target = null;
    this.direction = { x: 0, y: 0 };
    this.landId = null;
  }

  /** Sends the avatar walking to a point. */
  walkTo(x, y) {
    this.target = { x, y };
  }

  /** @returns {object[]} others in sight, nearest first */
  get nearby() {
    return [...this.people.values()].filter(({ leftAt }) => !leftAt).sort((a, b) => a.distance - b.distance);
  }

  /** Shows words over an avatar for a while. */
  say(userId, text) {
    this.speech.set(userId, { text: legible(text, '…'), until: performance.now() + SPEECH_MS });
  }

  /** @param {number} seconds since the last frame @param {number} now  of performance.now() */
  step(seconds, now) {
    this.#walk(Math.min(seconds, 0.1));
    for (const person of this.people.values()) this.#glide(person, now);
    for (const [userId, { until }] of this.speech) if (until < now) this.speech.delete(userId);
  }

  get #placeKey() {
    return `hereabouts.place.${this.#hereabouts.user.id}`;
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
    if (!self.moving) {
      this.target = null;
      return;
    }
    const stride = Math.min(SPEED * seconds, reach);
    self.heading = Math.atan2(dy, dx);
    this.#walked = true;
    self.x += (dx / length) * stride;
    self.y += (dy / length) * stride;
    if (stride === reach) this.target = null;
    const underfoot = this.#lands.at(self.x, self.y)?.id ?? null;
    const early = performance.now() - this.#reportedAt > EARLY_REPORT_MS;
    if (underfoot !== this.landId && early) this.#report();
  }

  #glide(person, now) {
    const part = Math.min(1, (now - person.since) / GLIDE_MS);
    person.x = person.fromX + (person.toX - person.fromX) * part;
    person.y = person.fromY + (person.toY - person.fromY) * part;
    person.moving = part < 1 && (person.toX !== person.fromX || person.toY !== person.fromY);
    if (person.leftAt) {
      person.opacity = 1 - (now - person.leftAt) / FADE_MS;
      if (person.opacity <= 0) this.people.delete(person.id);
    } else {
      person.opacity = Math.min(1, (now - person.seenAt) / FADE_MS);
    }
  }

  async #report() {
    const { chat } = this.#hereabouts;
    if (chat.state !== 'open' || this.#reporting) return;
    this.#reporting = true;
    this.#reportedAt = performance.now();
    this.#sharePlace();
    const { x, y } = this.self;
    try {
      const { land_id: landId } = await chat.updateLocation({ x: round(x), y: round(y), radius: SIGHT });
      this.#stepOnto(landId ?? null);
    } catch (error) {
      if (!error.transient) throw error; // else the next second tells it again
    } finally {
      this.#reporting = false;
    }
  }

  /** Of several tabs of one person, those that stand still follow the one that walks. */
  #sharePlace() {
    const { x, y } = this.self;
    if (this.#walked) localStorage.setItem(this.#placeKey, JSON.stringify({ x, y }));
    else Object.assign(this.self, JSON.parse(localStorage.getItem(this.#placeKey)));
    this.#walked = false;
  }

  #stepOnto(landId) {
    if (landId === this.landId) return;
    this.landId = landId;
    this.emit('land', landId);
    this.emit('changed');
  }

  #see({ users }) {
    const now = performance.now();
    const seen = new Set();
    for (const { user_id: id, username, x, y, distance } of users) {
      seen.add(id);
      const known = this.people.get(id);
      const person = known && !known.leftAt ? known : { id, x, y, seenAt: now, opacity: 0 };
      if (person.toX !== x || person.toY !== y) person.heading = Math.atan2(y - person.y, x - person.x);
      Object.assign(person, { username, distance, fromX: person.x, fromY: person.y, toX: x, toY: y, since: now });
      this.people.set(id, person);
    }
    for (const person of this.people.values()) if (!seen.has(person.id)) person.leftAt ??= now;
    // In the order they came, so that nobody changes colour for a newcomer.
    keepApart([this.#hereabouts.user.id, ...[...this.people.values()].sort((a, b) => a.seenAt - b.seenAt).map(({ id }) => id)]);
    this.emit('changed');
  }
}

/** A thousandth of a unit is finer than a pixel. */
function round(value) {
  return Math.round(value * 1000) / 1000;
}
