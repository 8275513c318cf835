// The words on the map: names under figures and what was just said over them, each painted once and moved with its figure.
// labels.js says where they go; in a crowd it is asked a few times a second, and between they go along.

import { Labels, LINE, NAME_HEIGHT, NAME_WIDTH, TAIL } from './labels.js';
import { figureMeasures } from './measures.js';
import { snap } from './parcels.js';
import { Container } from './pixi.js';
import { Keyed } from './sprites.js';
import { forgetWidths, shorten, wrap } from './text.js';
import { painted } from './textures.js';

const FADE_MS = 500;
const CROWD = 40; // figures: with more, not every frame asks for places
const PLACES_MS = 120;
const NAMED = 100; // the nearest: in a denser crowd the names of the others would only stand around it
const MARGIN = 2; // pixels around what is painted, for its edge

export class Words extends Container {
  #names = new Keyed();
  #bubbles = new Keyed();
  #last = new Map();
  #named = [];
  #said = [];
  #placedAt = -Infinity;
  #crowd = '';

  constructor() {
    super();
    this.addChild(this.#names, this.#bubbles);
    document.fonts.addEventListener('loadingdone', () => this.repaint());
  }

  /**
   * @param {object} view  of Scene.draw
   * @param {object[]} figures  those in view
   * @param {object[]} landNames  boxes in pixels
   */
  draw(view, figures, landNames) {
    const { camera, now, speech, typing } = view;
    const said = figures.map((figure) => ({ ...figure, speech: speech.get(figure.person.id) ?? (typing.has(figure.person.id) ? TYPING : null) }))
      .filter((figure) => figure.speech);
    const state = `${camera.scale} ${said.map(({ person, speech: { text } }) => person.id + text)} ${figures.find(({ hovered }) => hovered)?.person.id}`;
    if (figures.length <= CROWD || now - this.#placedAt > PLACES_MS || state !== this.#crowd) {
      this.#place(view, figures, said, landNames);
      this.#placedAt = now;
      this.#crowd = state;
    }
    const shown = new Map(figures.map((figure) => [figure.person.id, figure]));
    this.#names.begin();
    this.#bubbles.begin();
    for (const name of this.#named) this.#put(view, shown.get(name.id), this.#names, name, 1);
    for (const bubble of this.#said) {
      const until = speech.get(bubble.id)?.until ?? (typing.has(bubble.id) ? Infinity : 0);
      this.#put(view, shown.get(bubble.id), this.#bubbles, bubble, Math.max(0, Math.min(1, (until - now) / FADE_MS)));
    }
    this.#names.end();
    this.#bubbles.end();
  }

  repaint() {
    forgetWidths();
    this.#placedAt = -Infinity;
    this.#crowd = '';
  }

  #place(view, figures, said, landNames) {
    const { camera, colours, user } = view;
    const labels = new Labels(view, {
      name: (text, self) => shorten(nameFont(colours, self), text, NAME_WIDTH),
      words: (text, width, lines) => wrap(wordsFont(colours), text, width, lines),
    }, this.#last);
    for (const figure of figures) labels.keepFigure(figure);
    for (const box of landNames) labels.keepLand(box);
    const offset = (person, { x, y }) => {
      const feet = camera.toScreen(person);
      return { x: x - feet.x, y: y - feet.y };
    };
    // The best places are for oneself, for whoever is pointed at, and then for who is nearest.
    const rank = ({ self, hovered, person }) => (self ? -2 : hovered ? -1 : person.distance);
    this.#named = [...figures].sort((a, b) => rank(a) - rank(b)).slice(0, NAMED).flatMap((figure) => {
      const found = labels.name(figure);
      return found ? [{ id: figure.person.id, self: figure.self, ...found, at: offset(figure.person, found.place), paint: paintName }] : [];
    });
    const age = ({ person, speech }) => (person.id === user.id ? -Infinity : -speech.until);
    this.#said = [...said].sort((a, b) => age(a) - age(b)).flatMap(({ person, speech }) => {
      const found = labels.bubble(person, speech.text);
      return found ? [{ id: person.id, ...found, at: offset(person, found.place), paint: paintBubble }] : [];
    });
  }

  #put(view, figure, layer, label, fade) {
    if (!figure) return; // out of view since
    const { camera, textures, density } = view;
    const { x, y } = camera.toScreen(figure.person);
    const feet = { x: -label.at.x, y: -label.at.y }; // seen from the box
    const picture = label.paint(view, label, feet);
    const sprite = layer.get(label.id, textures.get(picture.key, () => painted(picture.width, picture.height, density, picture.paint)));
    sprite.position.set(snap(x + label.at.x - picture.left, density), snap(y + label.at.y - picture.top, density));
    sprite.alpha = fade * figure.opacity;
  }
}

const TYPING = { text: '…', until: Infinity };

const nameFont = ({ text }, self) => `${self ? 650 : 550} 12.5px ${text}`;
const wordsFont = ({ text }) => `500 13px ${text}`;

/** @returns {{key, left, top, width, height, paint}} a picture of a label; its box begins at (left, top) in it */
function paintName({ colours }, { text, self, place }, feet) {
  const lead = place.line ? Math.max(0, Math.round(place.y - place.line.y)) : 0;
  const [left, top] = [MARGIN, MARGIN + lead];
  const from = Math.round(feet.x);
  return {
    key: `name ${self} ${Math.round(place.width)} ${lead} ${lead && from}\n${text}`,
    left,
    top,
    width: place.width + 2 * MARGIN,
    height: top + NAME_HEIGHT + MARGIN,
    paint: (context) => {
      context.translate(left, top);
      if (lead) {
        context.strokeStyle = colours.muted;
        context.beginPath();
        context.moveTo(from, -lead);
        context.lineTo(from, 0);
        context.stroke();
      }
      context.fillStyle = self ? colours.accent : colours.panel;
      context.beginPath();
      context.roundRect(0, 0, place.width, NAME_HEIGHT, NAME_HEIGHT / 2);
      context.fill();
      context.fillStyle = self ? colours.onAccent : colours.ink;
      context.font = nameFont(colours, self);
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      context.fillText(text, place.width / 2, NAME_HEIGHT / 2 + 0.5);
    },
  };
}

/** A box with rounded corners, and a tail from it to the head. */
function paintBubble({ colours, camera }, { lines, place }, feet) {
  const { size, top: headroom } = figureMeasures(camera);
  const { width, height } = place;
  const head = { x: Math.round(feet.x), y: Math.round(feet.y - (place.beside ? 31 * size : headroom)) };
  if (place.beside) head.x += (feet.x < 0 ? 13 : -13) * size;
  else head.y = Math.max(height + TAIL, head.y + TAIL);
  const left = MARGIN + Math.max(0, -head.x);
  const top = MARGIN + Math.max(0, -head.y);
  return {
    key: `bubble ${Math.round(width)} ${Math.round(height)} ${Math.round(head.x)},${Math.round(head.y)}\n${lines.join('\n')}`,
    left,
    top,
    width: left + Math.max(width, head.x) + MARGIN,
    height: top + Math.max(height, head.y) + MARGIN,
    paint: (context) => {
      context.translate(left, top);
      context.fillStyle = colours.panel;
      context.strokeStyle = colours.line;
      context.lineJoin = 'round';
      context.beginPath();
      context.roundRect(0.5, 0.5, width - 1, height - 1, 12);
      context.fill();
      context.stroke();
      paintTail(context, head, place);
      context.fillStyle = colours.ink;
      context.font = wordsFont(colours);
      context.textAlign = 'center';
      context.textBaseline = 'top';
      lines.forEach((line, index) => context.fillText(line, width / 2, 8 + index * LINE));
    },
  };
}

function paintTail(context, head, { width, height, beside, line }) {
  context.beginPath();
  if (beside) {
    const edge = head.x < 0 ? 1.2 : width - 1.2;
    const middle = Math.max(12, Math.min(head.y, height - 12));
    context.moveTo(edge, middle - 5);
    context.lineTo(head.x, head.y);
    context.lineTo(edge, middle + 5);
  } else {
    const half = line ? 4 : TAIL;
    const from = Math.max(16, Math.min(head.x, width - 16));
    context.moveTo(from - half, height - 1.2);
    context.lineTo(head.x, head.y);
    context.lineTo(from + half, height - 1.2);
  }
  context.fill();
  context.stroke();
}
