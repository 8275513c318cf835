// The world without a picture, until there is one or where there can be none: time goes on, keys walk, and the lands
// around are known, so that lists, chat and calls are what they are beside a map.

import { attachKeys } from './input.js';

const STEP_MS = 50;
const SIGHT = 50; // units

export class Unseen {
  #world;
  #timer;
  #keys = new AbortController();

  /** @param {import('../app/app.js').App} app */
  constructor(app) {
    const { world, lands, hereabouts } = app;
    this.#world = world;
    attachKeys({ steer: (direction) => { world.direction = direction; } }, { signal: this.#keys.signal });
    this.#timer = setInterval(() => {
      if (!hereabouts.user) return; // signing out
      const { x, y } = world.self;
      world.step(STEP_MS / 1000, performance.now());
      lands.view({ x0: x - SIGHT, y0: y - SIGHT, x1: x + SIGHT, y1: y + SIGHT });
    }, STEP_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#keys.abort();
    this.#world.direction = { x: 0, y: 0 }; // a key that is held is let go unheard
  }
}
