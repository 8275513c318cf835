// The ground under everything: pieces of terrain painted once at the map's scale, and again when the scale has come to rest.

import { Container, Sprite } from './pixi.js';
import { CHUNK, paintChunk, Terrain } from './terrain.js';
import { painted } from './textures.js';

const LARGEST_TILE = 1_100; // device pixels along an edge
const REST_MS = 140; // a scale that has not changed for so long is painted sharp
const BLURRED = 1.9; // by which the map may grow or shrink before it is painted without a rest
const FRAME_MS = 5; // of painting in a frame: the rest of it is for walking
const KEPT = 90; // tiles out of view

export class Ground extends Container {
  #terrain = new Terrain();
  #shown = null;
  #next = null;
  #scale = 0;
  #restingSince = 0;
  /** Whether all in view is painted, and sharp. */
  isDone = false;

  /** @param {{camera: import('./camera.js').Camera, colours: object, density: number, now: number}} view */
  draw(view) {
    const { camera, colours, density, now } = view;
    if (camera.scale !== this.#scale) {
      this.#scale = camera.scale;
      this.#restingSince = now;
    }
    const last = this.#next ?? this.#shown;
    const rested = now - this.#restingSince >= REST_MS;
    const blur = last ? Math.max(last.scale / camera.scale, camera.scale / last.scale) : Infinity;
    const outdated = last?.colours !== colours || last.density !== density;
    if (outdated || blur > BLURRED || (rested && blur > 1.001)) {
      this.#next?.layer.destroy();
      this.#next = { scale: camera.scale, colours, density, layer: this.addChild(new Tiles(this.#terrain, view)) };
      this.#next.layer.visible = false;
    }
    const until = performance.now() + FRAME_MS;
    if (this.#next?.layer.paint(camera, until)) {
      this.#shown?.layer.destroy();
      this.#shown = this.#next;
      this.#shown.layer.visible = true;
      this.#next = null;
      this.isDone = true;
    } else {
      this.isDone = !this.#next && this.#shown.layer.paint(camera, until);
    }
    this.isDone &&= this.#shown.scale === camera.scale;
    this.#shown?.layer.place(camera, density);
  }
}

/** The tiles of one scale. */
class Tiles extends Container {
  #terrain;
  #colours;
  #density;
  #scale;
  #units = CHUNK;
  #tiles = new Map(); // "column,row" → sprite

  constructor(terrain, { camera, colours, density }) {
    super();
    this.#terrain = terrain;
    this.#colours = colours;
    this.#density = density;
    this.#scale = camera.scale;
    while (this.#units * this.#scale * density > LARGEST_TILE) this.#units /= 2;
  }

  /** @returns {boolean} whether all of what is in view is painted; it goes on until a time of performance.now() */
  paint(camera, until) {
    const { x0, y0, x1, y1 } = camera.bounds;
    const units = this.#units;
    for (let row = Math.floor(y0 / units); row * units < y1; row++) {
      for (let column = Math.floor(x0 / units); column * units < x1; column++) {
        const key = `${column},${row}`;
        if (this.#tiles.has(key)) continue;
        if (performance.now() > until) return false;
        this.#tiles.set(key, this.addChild(this.#tile(column * units, row * units)));
      }
    }
    return true;
  }

  place(camera, density) {
    const grow = camera.scale / this.#scale;
    const reach = this.#units * camera.scale;
    for (const [key, sprite] of this.#tiles) {
      const { x, y } = camera.toScreen(sprite.corner);
      sprite.visible = x < camera.width && y < camera.height && x + reach > 0 && y + reach > 0;
      if (!sprite.visible) {
        if (this.#tiles.size > KEPT && (Math.abs(x) > 3 * camera.width || Math.abs(y) > 3 * camera.height)) this.#drop(key, sprite);
        continue;
      }
      sprite.position.set(Math.round(x * density) / density, Math.round(y * density) / density);
      sprite.scale.set(grow);
    }
  }

  destroy() {
    for (const [key, sprite] of this.#tiles) this.#drop(key, sprite);
    super.destroy();
  }

  #drop(key, sprite) {
    sprite.texture.destroy(true);
    sprite.destroy();
    this.#tiles.delete(key);
  }

  #tile(x, y) {
    const chunk = this.#terrain.chunkAt(x, y);
    const scale = this.#scale;
    const size = this.#units * scale;
    const texture = painted(size, size, this.#density, (context) => {
      context.translate((chunk.x - x) * scale, (chunk.y - y) * scale);
      paintChunk(context, chunk, scale, this.#colours);
    });
    return Object.assign(new Sprite(texture), { corner: { x, y } });
  }
}
