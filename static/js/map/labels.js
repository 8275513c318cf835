// Words on the map: the names under figures and what was just said over them.
//
// Nobody's figure is written over: each label has a few places around its
// figure, the best first, and takes the first that is free; one that stands off
// has a line to its figure. What has no place at all is left out: a name shows
// when its figure is pointed at, and what was said is in the chat.

import { figureMeasures } from './figures.js';
import { shorten, wrap } from './text.js';

const NAME_WIDTH = 130; // pixels
const NAME_HEIGHT = 20;
const NAME_DROP = 9; // below the feet
const BUBBLES = [{ width: 190, lines: 3 }, { width: 120, lines: 2 }]; // the second where the first has no place
const LINE = 17;
const FADE_MS = 500;
const EDGE = 6; // kept free at the edges of the view
const STEP = 22; // by which a bubble rises
const TAIL = 6;
const CALM = 8; // pixels that a better place has to be free by, so that labels do not jump to and fro
const RISES = 7;

export class Labels {
  #context;
  #view;
  #last;
  #figure;
  #taken = []; // {x, y, width, height, kind, owner?}

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {object} view  of Scene.draw
   * @param {Map<string, number>} last  where each label was put in the frame before; kept by the caller
   */
  constructor(context, view, last) {
    this.#context = context;
    this.#view = view;
    this.#last = last;
    this.#figure = figureMeasures(view.camera);
    if (last.size > 2_000) last.clear();
    for (const overlay of view.overlays) this.#taken.push({ ...overlay, kind: 'overlay' });
  }

  /** Keeps the place of a figure free. */
  keepFigure({ person }) {
    const { x, y } = this.#view.camera.toScreen(person);
    const { size, top } = this.#figure;
    const half = 11 * size;
    this.#taken.push({ x: x - half, y: y - top + 3, width: 2 * half, height: top + 3, kind: 'figure', owner: person.id });
  }

  /** Keeps other words free, if there is room elsewhere. */
  keepLand(box) {
    this.#taken.push({ ...box, kind: 'land' });
  }

  /** @param {{person: object, label: string, self: boolean, hovered: boolean, opacity: number}} figure */
  name({ person, label, self, hovered, opacity }) {
    const { camera, colours } = this.#view;
    const context = this.#context;
    const feet = camera.toScreen(person);
    if (!camera.shows(feet)) return;
    context.save();
    context.globalAlpha = opacity;
    context.font = `${self ? 650 : 550} 12.5px ${colours.text}`;
    const found = this.#namePlace(person, label, feet, self || hovered);
    if (found) {
      const { place, text } = found;
      this.#take(place, 'name', person.id);
      context.strokeStyle = colours.muted;
      if (place.line) line(context, feet.x, feet.y + 5, feet.x, place.y);
      context.fillStyle = self ? colours.accent : colours.panel;
      context.beginPath();
      context.roundRect(place.x, place.y, place.width, NAME_HEIGHT, NAME_HEIGHT / 2);
      context.fill();
      context.fillStyle = self ? colours.onAccent : colours.ink;
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      context.fillText(text, place.x + place.width / 2, place.y + NAME_HEIGHT / 2 + 0.5);
    }
    context.restore();
  }

  /** @param {object} person @param {string} words @param {number} until  when they fade, of performance.now() */
  bubble(person, words, until) {
    const { camera, colours, now } = this.#view;
    const context = this.#context;
    const feet = camera.toScreen(person);
    if (!camera.shows(feet, 0)) return;
    context.save();
    context.globalAlpha = Math.max(0, Math.min(1, (until - now) / FADE_MS));
    context.font = `500 13px ${colours.text}`;
    const found = this.#bubblePlace(person, words, feet);
    if (found) {
      const { place, lines } = found;
      this.#take(place, 'bubble', person.id);
      drawBubble(context, colours, place, feet, this.#figure);
      context.fillStyle = colours.ink;
      context.textAlign = 'center';
      context.textBaseline = 'top';
      lines.forEach((each, index) => context.fillText(each, place.x + place.width / 2, place.y + 8 + index * LINE));
    }
    context.restore();
  }

  /** The whole name, or else its first word. */
  #namePlace(person, label, feet, needed) {
    const [first] = label.split(/\s/);
    const shapes = [...new Set([label, first])].map((each) => {
      const text = shorten(this.#context, each, NAME_WIDTH);
      return { text, places: namePlaces(feet, this.#context.measureText(text).width + 15, this.#figure) };
    });
    return this.#fit(`name ${person.id}`, shapes, person.id)
      ?? (needed ? { place: shapes[0].places[0], text: shapes[0].text } : null);
  }

  #bubblePlace(person, words, feet) {
    const shapes = BUBBLES.map((shape) => {
      const lines = wrap(this.#context, words, shape.width, shape.lines);
      const width = Math.max(...lines.map((each) => this.#context.measureText(each).width)) + 20;
      return { lines, places: bubblePlaces(feet, width, lines.length * LINE + 12, this.#figure).map((place) => this.#inView(place, feet)) };
    });
    return this.#fit(`bubble ${person.id}`, shapes, person.id);
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
    const index = places.findIndex((place, at) => !this.#taken.some((other) =>
      other.kind !== over && inTheWay(place, other, owner, at < last ? CALM : 0)));
    this.#last.set(key, Math.max(0, index));
    return places[index] ?? null;
  }

  #take(place, kind, owner) {
    this.#taken.push({ ...place, kind, owner });
    if (place.line) this.#taken.push({ ...place.line, kind, owner });
  }

  /** Within the view, with a line to the head where it stands off. */
  #inView(place, feet) {
    const { width, height, covered } = this.#view.camera;
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

/** A box with rounded corners, and a tail from it to the head. */
function drawBubble(context, colours, { x, y, width, height, beside, line: lead }, feet, { size, top }) {
  context.fillStyle = colours.panel;
  context.strokeStyle = colours.line;
  context.lineJoin = 'round';
  context.beginPath();
  context.roundRect(x, y, width, height, 12);
  context.fill();
  context.stroke();
  context.beginPath();
  if (beside) {
    const right = x > feet.x;
    const edge = right ? x + 0.7 : x + width - 0.7;
    const face = feet.y - 31 * size;
    const middle = Math.max(y + 12, Math.min(face, y + height - 12));
    context.moveTo(edge, middle - 5);
    context.lineTo(feet.x + (right ? 13 : -13) * size, face);
    context.lineTo(edge, middle + 5);
  } else {
    const half = lead ? 4 : TAIL;
    const from = Math.max(x + 16, Math.min(feet.x, x + width - 16));
    const bottom = y + height - 0.7;
    context.moveTo(from - half, bottom);
    context.lineTo(feet.x, Math.max(bottom + TAIL, feet.y - top + TAIL));
    context.lineTo(from + half, bottom);
  }
  context.fill();
  context.stroke();
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/** Whether a place, or the line from it, meets what somebody else has taken, or its own figure. */
function inTheWay(place, other, owner, margin) {
  if (meets(place, other, margin)) return true;
  return Boolean(place.line) && other.owner !== owner && meets(place.line, other, 0);
}

function meets(a, b, margin) {
  return a.x - margin < b.x + b.width && b.x < a.x + a.width + margin
    && a.y - margin < b.y + b.height && b.y < a.y + a.height + margin;
}
