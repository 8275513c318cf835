// Sprites used again from frame to frame: what is drawn in a frame is asked for, what was not asked for is not seen.

import { Container, Sprite, Texture } from './pixi.js';
import { partOf } from './textures.js';

/** Sprites in the order in which they are asked for: the later lie over the earlier. */
export class Pool extends Container {
  #used = 0;

  begin() {
    this.#used = 0;
  }

  /** @param {Texture} texture @returns {Sprite} with a place and looks still to be given, save an alpha of 1 and no tint */
  next(texture) {
    const sprite = this.children[this.#used] ?? this.addChild(new Sprite());
    this.#used += 1;
    sprite.texture = texture;
    sprite.visible = true;
    sprite.alpha = 1;
    sprite.rotation = 0;
    sprite.tint = 0xffffff;
    return sprite;
  }

  end() {
    for (let index = this.#used; index < this.children.length; index++) {
      const sprite = this.children[index];
      if (!sprite.visible) break; // and so are those after it
      sprite.visible = false;
      sprite.texture = Texture.EMPTY; // it may be let go meanwhile
    }
  }
}

/** A sprite for each key, which keeps it, so that little changes between two frames. */
export class Keyed extends Container {
  #sprites = new Map();
  #used = new Set();

  begin() {
    this.#used.clear();
  }

  /** @param {string} key @param {Texture} texture @returns {Sprite} */
  get(key, texture) {
    let sprite = this.#sprites.get(key);
    if (!sprite) {
      sprite = this.addChild(new Sprite());
      this.#sprites.set(key, sprite);
    }
    sprite.texture = texture;
    this.#used.add(key);
    return sprite;
  }

  end() {
    for (const [key, sprite] of this.#sprites) {
      if (this.#used.has(key)) continue;
      sprite.destroy();
      this.#sprites.delete(key);
    }
  }
}

/** A box of any size whose corners stay as they are painted: one texture in nine parts. */
export class Box extends Container {
  /** @param {Texture} texture  a square in the middle of which one pixel is as good as another */
  constructor(texture) {
    super();
    this.corner = (texture.width - 1) / 2;
    const edges = [[0, this.corner], [this.corner, 1], [this.corner + 1, this.corner]];
    for (const [y, height] of edges) for (const [x, width] of edges) this.addChild(new Sprite(partOf(texture, x, y, width, height)));
  }

  /** @param {{x: number, y: number, width: number, height: number}} rect @param {number} corner  how large, all in pixels */
  place({ x, y, width, height }, corner = this.corner) {
    const size = Math.min(corner, width / 2, height / 2);
    const columns = [[x, size], [x + size, width - 2 * size], [x + width - size, size]];
    const rows = [[y, size], [y + size, height - 2 * size], [y + height - size, size]];
    this.children.forEach((sprite, index) => {
      const [left, across] = columns[index % 3];
      const [top, down] = rows[Math.floor(index / 3)];
      sprite.position.set(left, top);
      sprite.setSize(across, down);
    });
  }

  destroy() {
    for (const { texture } of this.children) texture.destroy(false);
    super.destroy({ children: true });
  }
}
