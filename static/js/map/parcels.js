// The lands: a sheet of paper in the owner's colour each, dashed around where one enters by invitation, and its name.

import { hueOf } from '../app/hues.js';
import { Container } from './pixi.js';
import { placeDashes } from './dashes.js';
import { Box, Keyed, Pool } from './sprites.js';
import { shorten } from './text.js';
import { painted } from './textures.js';

const CORNER = 8; // pixels
const LABEL_MIN = { width: 46, height: 44 }; // pixels in view
const LABEL_INSET = 10;
const LABEL_HEIGHT = 34;
const DASH = { length: 7, gap: 5, width: 1.5 };

export class Parcels extends Container {
  #papers = new Container();
  #dashes = new Pool();
  #names = new Keyed();
  #boxes = new Map(); // land's id → Box with its `look`

  constructor() {
    super();
    this.addChild(this.#papers, this.#dashes);
    /** Laid over earshot by the scene. */
    this.names = this.#names;
  }

  /**
   * @param {object} view  of Scene.draw
   * @returns {object[]} the boxes that names take, in pixels
   */
  draw(view) {
    const { camera } = view;
    const seen = new Set();
    const taken = [];
    this.#dashes.begin();
    this.#names.begin();
    for (const land of view.lands) {
      const rect = screenRect(view, land);
      if (!onScreen(rect, camera)) continue;
      seen.add(land.id);
      this.#paper(view, land).place(rect);
      if (land.access === 'invited') this.#border(view, land, rect);
      const box = this.#name(view, land, rect);
      if (box) taken.push(box);
    }
    for (const [id, box] of this.#boxes) if (!seen.has(id)) this.#drop(id, box);
    this.#dashes.end();
    this.#names.end();
    return taken;
  }

  /** Lets go of all that is painted in colours of before. */
  repaint() {
    for (const [id, box] of this.#boxes) this.#drop(id, box);
  }

  #paper(view, land) {
    const { colours, world } = view;
    const inside = land.id === world.landId;
    const hue = colours.hues[hueOf(land.owner_id ?? land.id)];
    const look = `paper ${hue} ${inside} ${land.access}`;
    const known = this.#boxes.get(land.id);
    const texture = view.textures.get(look, () => paintPaper(view, hue, inside, land.access === 'invited'));
    if (known?.look === look) return known;
    if (known) this.#drop(land.id, known);
    const box = Object.assign(this.#papers.addChild(new Box(texture)), { look });
    this.#boxes.set(land.id, box);
    return box;
  }

  #border({ colours, world, textures, camera, density }, land, rect) {
    const texture = textures.get('dash', () => paintDash(density));
    const tint = colours.hues[hueOf(land.owner_id ?? land.id)];
    placeDashes(rect, Math.min(CORNER, rect.width / 4), DASH, 0, camera, (x, y, angle) => {
      const dash = this.#dashes.next(texture);
      dash.anchor.set(0.5);
      dash.setSize(DASH.length, DASH.width + (land.id === world.landId ? 1 : 0));
      dash.position.set(x, y);
      dash.rotation = angle;
      dash.tint = tint;
    });
  }

  /** @returns {object|null} the box that the words take, if they have a place in what is seen of the land */
  #name(view, land, rect) {
    const { camera, textures, overlays } = view;
    const seen = seenPart(camera, rect);
    if (seen.width < LABEL_MIN.width || seen.height < LABEL_MIN.height) return null;
    const owner = land.owner_id === view.user.id ? 'your land' : view.name(land.owner_id);
    const about = land.access === 'invited' ? `${owner}, by invitation` : owner;
    const widest = Math.floor(Math.min(seen.width - 2 * LABEL_INSET, 420));
    const lines = [land.title, about].map((text, index) => shorten(FONTS[index](view.colours), text, widest));
    const width = Math.ceil(Math.max(...lines.map((line) => line.width)));
    const box = labelBox(seen, width, overlays);
    if (!box) return null;
    const key = `land ${lines[0].text}\n${lines[1].text}`;
    const sprite = this.#names.get(land.id, textures.get(key, () => paintName(view, lines, width)));
    sprite.position.set(snap(box.x, view.density), snap(box.y, view.density));
    return box;
  }

  #drop(id, box) {
    box.destroy();
    this.#boxes.delete(id);
  }
}

const FONTS = [({ display }) => `650 14px ${display}`, ({ text }) => `500 11.5px ${text}`];

export function snap(value, density) {
  return Math.round(value * density) / density;
}

/** @returns {{x: number, y: number, width: number, height: number}} on whole device pixels, so that edges are sharp */
export function screenRect({ camera, density }, { x, y, width, height }) {
  const from = camera.toScreen({ x, y });
  const to = camera.toScreen({ x: x + width, y: y + height });
  const [left, top] = [snap(from.x, density), snap(from.y, density)];
  return { x: left, y: top, width: snap(to.x, density) - left, height: snap(to.y, density) - top };
}

export function onScreen({ x, y, width, height }, camera) {
  return x <= camera.width && y <= camera.height && x + width >= 0 && y + height >= 0;
}

function paintPaper({ colours, density }, hue, inside, open) {
  const size = 2 * (CORNER + 4) + 1;
  const line = inside ? 2.5 : 1.5;
  return painted(size, size, density, (context) => {
    context.beginPath();
    context.roundRect(line / 2, line / 2, size - line, size - line, CORNER);
    // Paper first, so that the owner's colour stays clear of the ground's green.
    context.fillStyle = colours.panel;
    context.globalAlpha = 0.7;
    context.fill();
    context.fillStyle = hue;
    context.globalAlpha = inside ? 0.2 : 0.12;
    context.fill();
    if (open) return; // its edge is dashed
    context.globalAlpha = inside ? 1 : 0.7;
    context.strokeStyle = hue;
    context.lineWidth = line;
    context.stroke();
  });
}

function paintName({ colours, density }, lines, width) {
  return painted(width + 2, LABEL_HEIGHT, density, (context) => {
    context.textBaseline = 'top';
    context.fillStyle = colours.ink;
    context.font = FONTS[0](colours);
    context.fillText(lines[0].text, 0, 1);
    context.globalAlpha = 0.72;
    context.font = FONTS[1](colours);
    context.fillText(lines[1].text, 0, 19);
  });
}

/** White, to be tinted. */
export function paintDash(density) {
  return painted(12, 4, density, (context) => {
    context.fillStyle = '#fff';
    context.beginPath();
    context.roundRect(0, 0, 12, 4, 2);
    context.fill();
  });
}

function seenPart(camera, rect) {
  const x = Math.max(rect.x, 0);
  const y = Math.max(rect.y, 0);
  return {
    x,
    y,
    width: Math.min(rect.x + rect.width, camera.width) - x,
    height: Math.min(rect.y + rect.height, camera.height - camera.covered.below) - y,
  };
}

/** In a corner of what is seen of the land, the upper left one first, where no part of the page lies over it. */
function labelBox(seen, width, overlays) {
  const height = 32;
  const right = seen.x + seen.width - width - LABEL_INSET;
  const bottom = seen.y + seen.height - height - LABEL_INSET;
  const [x, y] = [seen.x + LABEL_INSET, seen.y + LABEL_INSET];
  const free = (box) => !overlays.some((over) => box.x - 6 < over.x + over.width && over.x < box.x + width + 6
    && box.y - 6 < over.y + over.height && over.y < box.y + height + 6);
  return [{ x, y }, { x: right, y }, { x, y: bottom }, { x: right, y: bottom }]
    .map((corner) => ({ ...corner, width, height })).find(free) ?? null;
}
