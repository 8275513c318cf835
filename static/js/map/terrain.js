// The open ground: contour lines and tufts of grass, the same for everybody,
// because they come from the coordinates alone. Only there to be walked past. It needs a canvas and no
// renderer, so that the page before the sign-in has it too.

export const CHUNK = 32; // units
const TUFTS_FROM = 6; // pixels a unit: smaller, they are dust
const CELL = 1;
const CELLS = CHUNK / CELL;
// None at 0, which gradient noise takes at each lattice point.
const LEVELS = [-0.63, -0.47, -0.31, -0.15, 0.02, 0.18, 0.34, 0.5, 0.66];
const MAX_CHUNKS = 1_000; // more than the widest view of a large screen

/** A pseudo-random number in [0, 1) for a lattice point. Source: Hugo Elias' integer noise, mixed as in murmur3. */
function hash(x, y) {
  let h = Math.imul(x | 0, 0x27d4eb2d) ^ Math.imul(y | 0, 0x165667b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** Perlin's gradient noise, about -0.7 to 0.7. Source: https://mrl.cs.nyu.edu/~perlin/paper445.pdf */
function gradientNoise(x, y) {
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  const ease = (t) => t * t * t * (t * (t * 6 - 15) + 10);
  const u = ease(x - x0);
  const v = ease(y - y0);
  const mix = (a, b, t) => a + (b - a) * t;
  const slope = (i, j) => {
    const angle = hash(i, j) * 2 * Math.PI;
    return Math.cos(angle) * (x - i) + Math.sin(angle) * (y - j);
  };
  return mix(mix(slope(x0, y0), slope(x0 + 1, y0), u), mix(slope(x0, y0 + 1), slope(x0 + 1, y0 + 1), u), v);
}

/** Two sizes of hills, the small ones turned against the large so that no lattice shows. @returns {number} about -1 to 1 */
function elevation(x, y) {
  const hills = gradientNoise(x / 58 + 0.37, y / 58 + 0.61);
  const knolls = gradientNoise((0.8 * x - 0.6 * y) / 25 + 91.3, (0.6 * x + 0.8 * y) / 25 - 37.8);
  return hills * 1.25 + knolls * 0.3;
}

export class Terrain {
  #chunks = new Map(); // "cx,cy" → chunk

  /**
   * Paths are in units from the chunk's own corner: far out in the world, a canvas has not the digits for more.
   * @returns {{x: number, y: number, contours: Path2D, tufts: Path2D}} the chunk that holds a point
   */
  chunkAt(x, y) {
    return this.#chunk(Math.floor(x / CHUNK), Math.floor(y / CHUNK));
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

/** @param {CanvasRenderingContext2D} context  with its origin at the chunk's corner @param {number} scale  pixels a unit */
export function paintChunk(context, chunk, scale, colours) {
  context.save();
  context.scale(scale, scale);
  context.lineCap = 'round';
  context.strokeStyle = colours.contour;
  context.lineWidth = 1.1 / scale;
  context.stroke(chunk.contours);
  if (scale > TUFTS_FROM) {
    context.strokeStyle = colours.tuft;
    context.lineWidth = 1.4 / scale;
    context.stroke(chunk.tufts);
  }
  context.restore();
}

/** All of what a camera shows, at once. */
export function paintGround(context, camera, colours) {
  const terrain = new Terrain();
  const { x0, y0, x1, y1 } = camera.bounds;
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, camera.width, camera.height);
  for (let y = Math.floor(y0 / CHUNK) * CHUNK; y < y1; y += CHUNK) {
    for (let x = Math.floor(x0 / CHUNK) * CHUNK; x < x1; x += CHUNK) {
      const chunk = terrain.chunkAt(x, y);
      const corner = camera.toScreen(chunk);
      context.save();
      context.translate(corner.x, corner.y);
      paintChunk(context, chunk, camera.scale, colours);
      context.restore();
    }
  }
}

/** Marching squares, the segments of each level joined to lines and their corners rounded. */
function contours(left, top) {
  const path = new Path2D();
  const heights = [];
  for (let j = 0; j <= CELLS; j++) {
    for (let i = 0; i <= CELLS; i++) heights.push(elevation(left + i * CELL, top + j * CELL));
  }
  for (const level of LEVELS) for (const line of linesAt(level, heights)) drawRounded(path, line);
  return path;
}

/** @returns {{x: number, y: number}[][]} */
function linesAt(level, heights) {
  const width = CELLS + 1;
  const points = new Map(); // edge → where the level crosses it
  const ways = new Map(); // edge → the one or two edges that its line goes on to
  // An edge is named by the corner it begins at and whether it goes right (0) or down (1).
  const cross = (corner, down) => {
    const edge = corner * 2 + down;
    const [from, to] = [heights[corner], heights[corner + (down ? width : 1)]];
    if (from < level === to < level) return null;
    if (!points.has(edge)) {
      const t = (level - from) / (to - from);
      points.set(edge, {
        x: ((corner % width) + (down ? 0 : t)) * CELL,
        y: (Math.floor(corner / width) + (down ? t : 0)) * CELL,
      });
      ways.set(edge, []);
    }
    return edge;
  };
  const join = (a, b) => {
    ways.get(a).push(b);
    ways.get(b).push(a);
  };
  for (let j = 0; j < CELLS; j++) {
    for (let i = 0; i < CELLS; i++) {
      const corner = j * width + i;
      const [up, right, down, start] = [cross(corner, 0), cross(corner + 1, 1), cross(corner + width, 0), cross(corner, 1)];
      const crossed = [up, right, down, start].filter((edge) => edge !== null);
      if (crossed.length === 2) join(...crossed);
      if (crossed.length < 4) continue;
      // A saddle: its middle says which two corners hang together.
      const middle = (heights[corner] + heights[corner + 1] + heights[corner + width] + heights[corner + width + 1]) / 4;
      if (middle < level === heights[corner] < level) {
        join(up, right);
        join(down, start);
      } else {
        join(up, start);
        join(right, down);
      }
    }
  }
  const walk = (edge) => {
    const line = [];
    while (edge !== undefined) {
      line.push(points.get(edge));
      const next = ways.get(edge).find((other) => ways.has(other));
      ways.delete(edge);
      edge = next;
    }
    return line;
  };
  const lines = [];
  // Lines that end at the chunk's border from an end, then the rings.
  for (const [edge, on] of [...ways]) if (on.length === 1 && ways.has(edge)) lines.push(walk(edge));
  for (const edge of [...ways.keys()]) {
    if (!ways.has(edge)) continue;
    const ring = walk(edge);
    lines.push([...ring, ring[0]]);
  }
  return lines;
}

/** Curves from middle to middle of the line's pieces, its corners drawing them. */
function drawRounded(path, line) {
  const last = line.at(-1);
  const closed = line[0] === last && line.length > 3;
  const between = (a, b) => [(a.x + b.x) / 2, (a.y + b.y) / 2];
  if (closed) path.moveTo(...between(line[0], line[1]));
  else path.moveTo(line[0].x, line[0].y);
  for (let i = 1; i < line.length - 1; i++) path.quadraticCurveTo(line[i].x, line[i].y, ...between(line[i], line[i + 1]));
  if (closed) path.quadraticCurveTo(last.x, last.y, ...between(line[0], line[1]));
  else path.lineTo(last.x, last.y);
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
