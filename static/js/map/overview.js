// How the minimap lies on the world: a square part of it around oneself, and the ways between pixels and units. Pure.

/** Units from the middle to the edge: everybody in sight is there. */
export const REACH = 52;

export class Overview {
  /** @param {{x: number, y: number}} middle  in units @param {number} size  pixels along an edge */
  constructor(middle, size) {
    this.middle = middle;
    this.size = size;
    this.scale = size / (2 * REACH);
  }

  toMap({ x, y }) {
    return { x: (x - this.middle.x) * this.scale + this.size / 2, y: (y - this.middle.y) * this.scale + this.size / 2 };
  }

  toWorld({ x, y }) {
    return { x: (x - this.size / 2) / this.scale + this.middle.x, y: (y - this.size / 2) / this.scale + this.middle.y };
  }

  /** @param {{x: number, y: number, width: number, height: number}} rect  units @returns the same in pixels */
  rect({ x, y, width, height }) {
    return { ...this.toMap({ x, y }), width: width * this.scale, height: height * this.scale };
  }
}
