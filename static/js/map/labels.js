// Where words on the map go: the names under figures and what was just said over them. Pure: places come out, words.js
// draws them.
//
// Nobody's figure is written over: each label has a few places around its
// figure, the best first, and takes the first that is free; one that stands off
// has a line to its figure. What has no place at all is left out: a name shows
// when its figure is pointed at, and what was said is in the chat.

import { figureMeasures } from './measures.js';

export const NAME_WIDTH = 130; // pixels
export const NAME_HEIGHT = 20;
export const LINE = 17;
const NAME_DROP = 9; // below the feet
const BUBBLES = [{ width: 190, lines: 3 }, { width: 120, lines: 2 }]; // the second where the first has no place
const EDGE = 6; // kept free at the edges of the view
const STEP = 22; // by which a bubble rises
export const TAIL = 6;
const CALM = 8; // pixels that a better place has to be free by, so that labels do not jump to and fro
const RISES = 7;
const CELL = 64; // pixels: a few labels' worth, so that a crowd's are not all compared with each other
const ROW = 1_000; // more cells than any screen has in a row

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Box  pixels
 * @typedef {Box & {line?: Box|null, beside?: boolean}} Place
 */
export class Labels {
  #camera;
  #fitText;
  #last;
  #figure;
  #taken = new Map(); // cell → {x, y, width, height, kind, owner?}[]

  /**
   * @param {{camera: import('./camera.js').Camera, overlays: Box[]}} view
   * @param {{name: (text: string, self: boolean) => {text: string, width: number},
   *   words: (text: string, width: number, lines: number) => {lines: string[], width: number}}} fitText  cuts and measures
   * @param {Map<string, number>} last  where each label was put in the frame before; kept by the caller
   */
  constructor({ camera, overlays }, fitText, last) {
    this.#camera = camera;
    this.#fitText = fitText;
    this.#last = last;
    this.#figure = figureMeasures(camera);
    if (last.size > 4_000) last.clear();
    for (const overlay of overlays) this.#take({ ...overlay, kind: 'overlay' });
  }

  /** Keeps the place of a figure free. */
  keepFigure({ person }) {
    const { x, y } = this.#camera.toScreen(person);
    const { size, top } = this.#figure;
    const half = 11 * size;
    this.#take({ x: x - half, y: y - top + 3, width: 2 * half, height: top + 3, kind: 'figure', owner: person.id });
  }

  /** Keeps other words free, if there is room elsewhere. */
  keepLand(box) {
    this.#take({ ...box, kind: 'land' });
  }

  /**
   * @param {{person: object, label: string, self: boolean, hovered: boolean}} figure
   * @returns {{text: string, place: Place}|null} the whole name, or else its first word, where there is a place
   */
  name({ person, label, self, hovered }) {
    const feet = this.#camera.toScreen(person);
    const shapes = [...new Set([label, label.split(/\s/)[0]])].map((each) => {
      const { text, width } = this.#fitText.name(each, self);
      return { text, places: namePlaces(feet, width + 15, this.#figure) };
    });
    const found = this.#fit(`name ${person.id}`, shapes, person.id)
      ?? (self || hovered ? { place: shapes[0].places[0], text: shapes[0].text } : null);
    if (found) this.#settle(found.place, 'name', person.id);
    return found;
  }

  /** @returns {{lines: string[], place: Place}|null} */
  bubble(person, words) {
    const feet = this.#camera.toScreen(person);
    const shapes = BUBBLES.map((shape) => {
      const { lines, width } = this.#fitText.words(words, shape.width, shape.lines);
      const places = bubblePlaces(feet, width + 20, lines.length * LINE + 12, this.#figure);
      return { lines, places: places.map((place) => this.#inView(place, feet)) };
    });
    const found = this.#fit(`bubble ${person.id}`, shapes, person.id);
    if (found) this.#settle(found.place, 'bubble', person.id);
    return found;
  }

  /** The first shape that has a place; a land's name is written over before something is left out. */
  #fit(key, shapes, owner) {
    for (const over of [null, 'land']) {
      for (const [index, shape] of shapes.entries()) {
        const place = this.#choose(`${key} ${index} ${over}`, shape.places, owner, over);
        if (place) return { ...shape, place };
      }
    }
    return null;
  }

  /** The first place that is free, or that was taken before and still is. */
  #choose(key, places, owner, over) {
    const last = this.#last.get(key) ?? 0;
    const index = places.findIndex((place, at) => this.#isFree(place, owner, over, at < last ? CALM : 0));
    this.#last.set(key, Math.max(0, index));
    return places[index] ?? null;
  }

  #isFree(place, owner, over, margin) {
    if (!this.#isClear(place, null, over, margin)) return false;
    return !place.line || this.#isClear(place.line, owner, over, 0); // the line from it may cross its own figure
  }

  #isClear(box, owner, over, margin) {
    const { left, right, top, bottom } = this.#cells(box, margin);
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        for (const other of this.#taken.get(row * ROW + column) ?? []) {
          if (other.kind !== over && other.owner !== (owner ?? NaN) && meets(box, other, margin)) return false;
        }
      }
    }
    return true;
  }

  #settle(place, kind, owner) {
    this.#take({ ...place, kind, owner });
    if (place.line) this.#take({ ...place.line, kind, owner });
  }

  #take(box) {
    const { left, right, top, bottom } = this.#cells(box, 0);
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const cell = row * ROW + column;
        if (this.#taken.has(cell)) this.#taken.get(cell).push(box);
        else this.#taken.set(cell, [box]);
      }
    }
  }

  /** What is out of view is in the outermost cells, so that whatever is large or far off has few. */
  #cells({ x, y, width, height }, margin) {
    const cell = (at, most) => Math.floor(Math.max(-CELL, Math.min(at, most + CELL)) / CELL) + 1;
    const { width: right, height: bottom } = this.#camera;
    return {
      left: cell(x - margin, right),
      right: cell(x + width + margin, right),
      top: cell(y - margin, bottom),
      bottom: cell(y + height + margin, bottom),
    };
  }

  /** Within the view, with a line to the head where it stands off. */
  #inView(place, feet) {
    const { width, height, covered } = this.#camera;
    const clamp = (value, least, most) => Math.max(least, Math.min(value, most));
    const x = clamp(place.x, EDGE, width - place.width - EDGE);
    const y = clamp(place.y, EDGE, height - covered.below - place.height - EDGE);
    const bottom = y + place.height;
    const gap = feet.y - this.#figure.top - bottom;
    return { ...place, x, y, line: gap > TAIL ? { x: feet.x - 4, y: bottom, width: 8, height: gap } : null };
  }
}

function namePlaces(feet, width, { size, middle }) {
  const y = feet.y + NAME_DROP;
  const under = (drop, shifts) => shifts.map((shift) => ({
    x: feet.x - width / 2 + shift * width,
    y: y + drop,
    line: drop ? { x: feet.x - 1, y: feet.y + 5, width: 2, height: drop + NAME_DROP - 5 } : null,
  }));
  const beside = [feet.x + 14 * size, feet.x - 14 * size - width].map((x) => ({ x, y: feet.y - middle - 4 }));
  return [...under(0, [0, 0.15, -0.15, 0.32, -0.32]), ...beside, ...under(16, [0.2, -0.2]), ...under(32, [0, 0.3, -0.3])]
    .map((place) => ({ ...place, width, height: NAME_HEIGHT }));
}

/** Over the head, beside it, and higher up. */
function bubblePlaces(feet, width, height, { size, top }) {
  const head = feet.y - top;
  const over = (rise) => [0, 0.24, -0.24, 0.4, -0.4].map((shift) => ({ x: feet.x - width / 2 + shift * width, y: head - height - rise }));
  const aside = 20 * size;
  const beside = [feet.x + aside, feet.x - aside - width].map((x) => ({ x, y: feet.y - 31 * size - height / 2, beside: true }));
  const higher = Array.from({ length: RISES }, (_, index) => over((index + 1) * STEP)).flat();
  return [...over(0), ...beside, ...higher].map((place) => ({ ...place, width, height }));
}

function meets(a, b, margin) {
  return a.x - margin < b.x + b.width && b.x < a.x + a.width + margin
    && a.y - margin < b.y + b.height && b.y < a.y + a.height + margin;
}
