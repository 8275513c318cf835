// Pictures painted once and drawn often: words, figures, pieces of ground. Each is kept as long as it is drawn.

import { CanvasSource, Rectangle, Texture } from './pixi.js';

const IDLE_MS = 8_000; // not drawn for so long, a picture is let go
const SWEEP_MS = 2_000;

/**
 * @param {number} width @param {number} height  CSS pixels
 * @param {number} density  device pixels a CSS pixel
 * @param {(context: CanvasRenderingContext2D) => void} paint  scaled to CSS pixels
 * @returns {Texture} which owns its source
 */
export function painted(width, height, density, paint) {
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.ceil(width * density));
  canvas.height = Math.max(1, Math.ceil(height * density));
  const context = canvas.getContext('2d');
  context.scale(density, density);
  paint(context);
  return new Texture({ source: new CanvasSource({ resource: canvas, resolution: density, autoGenerateMipmaps: false }) });
}

/** @param {Texture} sheet @returns {Texture} a part of it, in CSS pixels */
export function partOf(sheet, x, y, width, height) {
  return new Texture({ source: sheet.source, frame: new Rectangle(x, y, width, height) });
}

export class Textures {
  #kept = new Map(); // key → {texture, drawnAt}
  #now = 0;
  #sweptAt = 0;

  /** Begins a frame. */
  tick(now) {
    this.#now = now;
    if (now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    for (const [key, { texture, drawnAt }] of this.#kept) {
      if (now - drawnAt < IDLE_MS) continue;
      texture.destroy(true);
      this.#kept.delete(key);
    }
  }

  /** @param {string} key @param {() => Texture} make */
  get(key, make) {
    let entry = this.#kept.get(key);
    if (!entry) {
      entry = { texture: make(), drawnAt: 0 };
      this.#kept.set(key, entry);
    }
    entry.drawnAt = this.#now;
    return entry.texture;
  }

  clear() {
    for (const { texture } of this.#kept.values()) texture.destroy(true);
    this.#kept.clear();
  }
}
