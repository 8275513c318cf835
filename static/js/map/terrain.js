// The open ground: contour lines and tufts of grass, the same for everybody,
// because they come from the coordinates alone. Only there to be walked past.

const CHUNK = 32; // units
const CELL = 1;
const LEVELS = [-0.6, -0.48, -0.36, -0.24, -0.12, 0, 0.12, 0.24, 0.36, 0.48, 0.6];
const MAX_CHUNKS = 200;

/** A pseudo-random number in [0, 1) for a lattice point. Source: Hugo Elias' integer noise, mixed as in murmur3. */
function hash(x, y) {
  let h = Math.imul(x | 0, 0x27d4eb2d) ^ Math.imul(y | 0, 0x165667b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

function valueNoise(x, y) {
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  const ease = (t) => t * t * t * (t * (t * 6 - 15) + 10); // Perlin's, without kinks at the lattice
  const u = ease(x - x0);
  const v = ease(y - y0);
  const mix = (a, b, t) => a + (b - a) * t;
  return mix(mix(hash(x0, y0), hash(x0 + 1, y0), u), mix(hash(x0, y0 + 1), hash(x0 + 1, y0 + 1), u), v);
}

/** @returns {number} the lie of the land, about -1 to 1 */
function elevation(x, y) {
  return (valueNoise(x / 46, y / 46) * 0.72 + valueNoise(x / 23 + 91, y / 23 - 37) * 0.28) * 2 - 1;
}

export class Terrain {
  #chunks = new Map(); // "cx,cy" → chunk

  /**
   * Paths are in units from the chunk's own corner: far out in the world, a canvas has not the digits for more.
   * @returns {Iterable<{x: number, y: number, contours: Path2D, tufts: Path2D}>} what lies within the bounds
   */
  *within({ x0, y0, x1, y1 }) {
    for (let cy = Math.floor(y0 / CHUNK); cy * CHUNK < y1; cy++) {
      for (let cx = Math.floor(x0 / CHUNK); cx * CHUNK < x1; cx++) yield this.#chunk(cx, cy);
    }
  }

  #chunk(cx, cy) {
    const key = `${cx},${cy}`;
    let chunk = this.#chunks.get(key);
    if (!chunk) {
      if (this.#chunks.size >= MAX_CHUNKS) this.#chunks.clear();
      const [x, y] = [cx * CHUNK, cy * CHUNK];
      chunk = { x, y, contours: contours(x, y), tufts: tufts(x, y) };
      this.#chunks.set(key, chunk);
    }
    return chunk;
  }
}

/** Marching squares, each cell cut along its diagonal into two triangles: no ambiguous cases. */
function contours(left, top) {
  const path = new Path2D();
  const count = CHUNK / CELL;
  const heights = [];
  for (let j = 0; j <= count; j++) {
    for (let i = 0; i <= count; i++) heights.push(elevation(left + i * CELL, top + j * CELL));
  }
  const corner = (i, j) => ({ x: i * CELL, y: j * CELL, z: heights[j * (count + 1) + i] });
  for (let j = 0; j < count; j++) {
    for (let i = 0; i < count; i++) {
      const [a, b, c, d] = [corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1)];
      for (const level of LEVELS) {
        crossTriangle(path, level, a, b, c);
        crossTriangle(path, level, a, c, d);
      }
    }
  }
  return path;
}

function crossTriangle(path, level, a, b, c) {
  const points = [];
  for (const [from, to] of [[a, b], [b, c], [c, a]]) {
    if (from.z < level === to.z < level) continue;
    const t = (level - from.z) / (to.z - from.z);
    points.push({ x: from.x + (to.x - from.x) * t, y: from.y + (to.y - from.y) * t });
  }
  if (points.length !== 2) return;
  path.moveTo(points[0].x, points[0].y);
  path.lineTo(points[1].x, points[1].y);
}

/** Three short blades, thicker on high ground. */
function tufts(left, top) {
  const path = new Path2D();
  for (let j = 0; j < CHUNK; j += 4) {
    for (let i = 0; i < CHUNK; i += 4) {
      const x = i + hash(left + i, top + j) * 4;
      const y = j + hash(top + j, left + i + 7) * 4;
      if (hash(left + i + 13, top + j - 5) > 0.1 + Math.max(0, elevation(left + x, top + y)) * 0.8) continue;
      for (const lean of [-0.28, 0, 0.28]) {
        path.moveTo(x + lean * 0.4, y);
        path.lineTo(x + lean, y - (lean ? 0.45 : 0.6));
      }
    }
  }
  return path;
}
