// Words on the map: the names under figures and what was just said over them.
// Those that would lie over one another are moved apart, within a frame.

import { FIGURE_TOP } from './figures.js';

const NAME_WIDTH = 130; // pixels
const NAME_HEIGHT = 20;
const BUBBLE_WIDTH = 190;
const BUBBLE_LINES = 3;
const LINE = 17;
const FADE_MS = 500;
const GAP = 3;

export class Labels {
  #context;
  #view;
  #taken = []; // rectangles

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {object} view  of Scene.draw
   */
  constructor(context, view) {
    this.#context = context;
    this.#view = view;
  }

  /** @param {{person: object, label: string, self: boolean}} figure */
  name({ person, label, self }) {
    const { camera, colours } = this.#view;
    const context = this.#context;
    const feet = camera.toScreen(person);
    if (!camera.shows(feet)) return;
    context.save();
    context.globalAlpha = Math.max(0, person.opacity);
    context.font = `${self ? 650 : 550} 12.5px ${colours.text}`;
    const text = shorten(context, label, NAME_WIDTH);
    const width = context.measureText(text).width + 15;
    const box = this.#place({ x: feet.x - width / 2, y: feet.y + 9, width, height: NAME_HEIGHT }, NAME_HEIGHT + GAP);
    context.fillStyle = self ? colours.accent : colours.panel;
    context.beginPath();
    context.roundRect(box.x, box.y, box.width, box.height, NAME_HEIGHT / 2);
    context.fill();
    context.fillStyle = self ? colours.onAccent : colours.ink;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(text, feet.x, box.y + NAME_HEIGHT / 2 + 0.5);
    context.restore();
  }

  /** @param {object} person @param {string} words @param {number} until  when they fade, of performance.now() */
  bubble(person, words, until) {
    const { camera, colours, now } = this.#view;
    const context = this.#context;
    const feet = camera.toScreen(person);
    if (!camera.shows(feet)) return;
    context.save();
    context.globalAlpha = Math.max(0, Math.min(1, (until - now) / FADE_MS));
    context.font = `500 13px ${colours.text}`;
    const lines = wrap(context, words, BUBBLE_WIDTH, BUBBLE_LINES);
    const width = Math.max(...lines.map((line) => context.measureText(line).width)) + 20;
    const height = lines.length * LINE + 12;
    const box = this.#place({ x: feet.x - width / 2, y: feet.y - FIGURE_TOP - height, width, height }, -(LINE + GAP));
    context.fillStyle = colours.panel;
    context.strokeStyle = colours.line;
    context.beginPath();
    context.roundRect(box.x, box.y, box.width, box.height, 12);
    context.fill();
    context.stroke();
    const bottom = box.y + box.height;
    context.beginPath();
    context.moveTo(feet.x - 6, bottom - 0.5);
    context.lineTo(feet.x, bottom + 6);
    context.lineTo(feet.x + 6, bottom - 0.5);
    context.fill();
    context.fillStyle = colours.ink;
    context.textAlign = 'center';
    context.textBaseline = 'top';
    lines.forEach((line, index) => context.fillText(line, feet.x, box.y + 8 + index * LINE));
    context.restore();
  }

  /** Moves a box by steps until it lies over no other, and takes the place. */
  #place(box, step) {
    const meets = (other) => box.x < other.x + other.width && other.x < box.x + box.width
      && box.y < other.y + other.height && other.y < box.y + box.height;
    for (let tries = 0; tries < 12 && this.#taken.some(meets); tries++) box.y += step;
    this.#taken.push(box);
    return box;
  }
}

function shorten(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  const letters = [...text];
  while (letters.length && context.measureText(`${letters.join('')}…`).width > width) letters.pop();
  return `${letters.join('')}…`;
}

function wrap(context, text, width, most) {
  const lines = [];
  let line = '';
  for (const word of text.slice(0, 300).split(/\s+/)) {
    const longer = line ? `${line} ${word}` : word;
    if (!line || context.measureText(longer).width <= width) {
      line = longer;
    } else {
      lines.push(line);
      line = word;
    }
  }
  lines.push(line);
  const shown = lines.slice(0, most).map((each) => shorten(context, each, width));
  if (lines.length > most) shown[most - 1] = shorten(context, `${shown[most - 1]} …`, width);
  return shown;
}
