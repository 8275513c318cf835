// What part of the world the canvas shows: a centre and a scale, following the
// user's avatar unless the map was dragged away from it.

import { figureMeasures } from './measures.js';

const MIN_SCALE = 3; // pixels a unit
const MAX_SCALE = 40;
const DEFAULT_SCALE = 17;
const NARROW_SCALE = 12; // on a phone, so that earshot and a little more is in view
const NARROW = 500;
const NAME_ROOM = 30; // pixels below the feet
const FOLLOW_RATE = 6; // the share of the remaining way closed in a second, roughly

export class Camera {
  constructor() {
    this.x = 0;
    this.y = 0;
    this.scale = DEFAULT_SCALE;
    this.width = 1; // CSS pixels
    this.height = 1;
    this.following = true;
    /** Pixels that something lies over, on a phone: the land's name or a call, the sheet. */
    this.covered = { above: 0, below: 0 };
  }

  /** @param {number} width @param {number} height  in CSS pixels */
  resize(width, height) {
    const narrow = width < NARROW;
    if (narrow !== this.width < NARROW || this.width === 1) this.scale = narrow ? NARROW_SCALE : DEFAULT_SCALE;
    Object.assign(this, { width, height });
  }

  /** Jumps to a point, without a glide. */
  centreOn({ x, y }) {
    this.x = x;
    this.y = y;
    this.following = true;
  }

  /** @param {{x: number, y: number}} point @param {number} seconds @param {boolean} glide */
  follow(point, seconds, glide) {
    if (!this.following) return;
    const part = glide ? 1 - Math.exp(-FOLLOW_RATE * seconds) : 1;
    this.x += (point.x - this.x) * part;
    this.y += (point.y - this.y) * part;
  }

  /** Moves the map under the pointer. */
  pan(dx, dy) {
    this.following = false;
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
  }

  /** Zooms so that the point under the pointer stays where it is. */
  zoom(factor, at = { x: this.middle.x, y: this.middle.y }) {
    const before = this.toWorld(at);
    this.scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, this.scale * factor));
    if (this.following) return;
    const after = this.toWorld(at);
    this.x += before.x - after.x;
    this.y += before.y - after.y;
  }

  /** The pixel that the centre of the view falls on: between a sheet and what is above it, a whole figure and its name. */
  get middle() {
    const { above, below } = this.covered;
    const figure = below ? figureMeasures(this).top - NAME_ROOM : 0;
    return { x: this.width / 2, y: (above + figure + this.height - below) / 2 };
  }

  toScreen({ x, y }) {
    return { x: (x - this.x) * this.scale + this.middle.x, y: (y - this.y) * this.scale + this.middle.y };
  }

  toWorld({ x, y }) {
    return { x: (x - this.middle.x) / this.scale + this.x, y: (y - this.middle.y) / this.scale + this.y };
  }

  /** @returns {boolean} whether something at a pixel, its words included, may be seen */
  shows({ x, y }, margin = 130) {
    return x > -margin && y > -margin && x < this.width + margin && y < this.height + margin;
  }

  /** @returns {{x0: number, y0: number, x1: number, y1: number}} the visible part, in units */
  get bounds() {
    const from = this.toWorld({ x: 0, y: 0 });
    const to = this.toWorld({ x: this.width, y: this.height });
    return { x0: from.x, y0: from.y, x1: to.x, y1: to.y };
  }
}
