// The lands around the part of the world that the map shows.
//
// No event tells of a new land, so that what is in view is asked for again now
// and then. The rectangles are half-open, as the server counts them.

import { Emitter } from '../client/index.js';
import { legible } from './names.js';

const REFRESH_MS = 10_000;
const MARGIN = 60; // units fetched beyond the edges of the view

export class Lands extends Emitter {
  #api;
  #worldId;
  #fetched = null; // the bounds of the last look, and when it was; null where it says no more what there is
  #fetching = false;

  constructor(hereabouts) {
    super();
    this.#api = hereabouts.api;
    /** @type {Map<string, import('../client/api.js').Land & {title: string}>}  the name as it is shown */
    this.byId = new Map();
    // Told to those who stood in it; the others' maps learn of it at their next look.
    hereabouts.chat.on('room_closed', ({ room_id: landId }) => this.#drop(landId));
  }

  /** @returns {import('../client/api.js').Land | undefined} */
  at(x, y) {
    for (const land of this.byId.values()) {
      if (x >= land.x && x < land.x + land.width && y >= land.y && y < land.y + land.height) return land;
    }
    return undefined;
  }

  /** @returns {boolean} whether the rectangle would overlap a known land */
  overlaps({ x, y, width, height }) {
    return [...this.byId.values()].some((land) =>
      x < land.x + land.width && land.x < x + width && y < land.y + land.height && land.y < y + height);
  }

  /** @returns {import('../client/api.js').Land[]} the nearest to a point first */
  nearest(x, y) {
    const gap = (at, start, size) => Math.max(start - at, 0, at - start - size);
    const distance = (land) => Math.max(gap(x, land.x, land.width), gap(y, land.y, land.height));
    return [...this.byId.values()]
      .map((land) => ({ land, distance: distance(land) }))
      .sort((a, b) => a.distance - b.distance);
  }

  /** Called by the map as it moves; asks the server only when the view left what is known. */
  async view({ x0, y0, x1, y1 }) {
    const known = this.#fetched;
    const covered = known && x0 >= known.x0 && y0 >= known.y0 && x1 <= known.x1 && y1 <= known.y1;
    if (this.#fetching || (covered && Date.now() - known.at < REFRESH_MS)) return;
    await this.#fetch({ x0: x0 - MARGIN, y0: y0 - MARGIN, x1: x1 + MARGIN, y1: y1 + MARGIN });
  }

  /** @throws `conflict` */
  async claim(land) {
    this.#put(await this.#api.claimLand({ ...land, world_id: this.#worldId }));
  }

  async update(landId, changes) {
    this.#put(await this.#api.updateLand(landId, changes));
  }

  async remove(landId) {
    await this.#api.deleteLand(landId);
    this.#drop(landId);
  }

  /** From now on the lands of this world. */
  enter(worldId) {
    this.#worldId = worldId;
    this.reset();
  }

  reset() {
    this.byId.clear();
    this.#fetched = null;
  }

  async #fetch(bounds) {
    this.#fetching = true;
    const fetched = this.#fetched = { ...bounds, at: Date.now() };
    try {
      const { lands } = await this.#api.lands({ ...bounds, world_id: this.#worldId });
      if (fetched !== this.#fetched) return; // of another world, or from before a change; the next look asks again
      this.byId = new Map(lands.map((land) => [land.id, titled(land)]));
      this.emit('changed');
    } catch (error) {
      // The map keeps what it has; the next look asks again.
      if (!error.transient && error.code !== 'unauthorized') throw error;
    } finally {
      this.#fetching = false;
    }
  }

  #put(land) {
    this.#fetched = null;
    this.byId.set(land.id, titled(land));
    this.emit('changed');
  }

  #drop(landId) {
    this.#fetched = null;
    if (this.byId.delete(landId)) this.emit('changed');
  }
}

function titled(land) {
  return { ...land, title: legible(land.name, 'A land') };
}
