// Draws one frame of the map: ground, lands, earshot, people, what they say.
// It is given everything and changes nothing.

import { EARSHOT } from '../app/world.js';
import { drawFigure } from './figures.js';
import { Labels } from './labels.js';
import { hueOf } from '../app/hues.js';
import { Terrain } from './terrain.js';
import { shorten } from './text.js';

const LABEL_MIN = { width: 46, height: 44 }; // pixels in view
const LABEL_INSET = 10;
const STALE_OPACITY = 0.45; // of people whose positions are not heard of any more
const EARSHOT_CORNER = 2.2; // units
const TYPING = { text: '…', until: Infinity };
const TUFTS_FROM = 6; // pixels a unit: smaller, they are dust

export class Scene {
  #terrain = new Terrain();
  #labelPlaces = new Map();

  /**
   * @param {CanvasRenderingContext2D} context  scaled to CSS pixels
   * @param {object} view
   * @param {import('./camera.js').Camera} view.camera
   * @param {object} view.colours  of Palette
   * @param {import('../app/world.js').World} view.world
   * @param {Iterable<import('../client/api.js').Land>} view.lands
   * @param {{id: string}} view.user
   * @param {(userId: string) => string} view.name
   * @param {Set<string>} view.typing  ids of those who type here
   * @param {{x: number, y: number, width: number, height: number, free: boolean}|null} view.claim
   * @param {string|null} view.hovered  a person's id
   * @param {{x: number, y: number, width: number, height: number}[]} view.overlays  parts of the page over the map
   * @param {boolean} view.connected  whether what is known of others is of now
   * @param {number} view.now  milliseconds
   * @param {boolean} view.still  motion is not wanted
   */
  draw(context, view) {
    this.drawGround(context, view);
    const lands = [...view.lands].map((land) => ({ land, rect: screenRect(view.camera, land) }))
      .filter(({ rect }) => onScreen(rect, view.camera));
    for (const { land, rect } of lands) drawLand(context, view, land, rect);
    drawEarshot(context, view);
    const landNames = lands.map(({ land, rect }) => drawLandName(context, view, land, rect)).filter(Boolean);
    if (view.world.target) drawTarget(context, view);
    if (view.claim) drawClaim(context, view);
    drawPeople(context, view, landNames, this.#labelPlaces);
  }

  /** The open ground alone. */
  drawGround(context, { camera, colours }) {
    const { scale } = camera;
    context.fillStyle = colours.ground;
    context.fillRect(0, 0, camera.width, camera.height);
    context.save();
    context.lineCap = 'round';
    for (const chunk of this.#terrain.within(camera.bounds)) {
      const corner = camera.toScreen(chunk);
      context.save();
      context.translate(corner.x, corner.y);
      context.scale(scale, scale);
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
    context.restore();
  }
}

function screenRect(camera, { x, y, width, height }) {
  const from = camera.toScreen({ x, y });
  return { x: from.x, y: from.y, width: width * camera.scale, height: height * camera.scale };
}

function onScreen({ x, y, width, height }, camera) {
  return x <= camera.width && y <= camera.height && x + width >= 0 && y + height >= 0;
}

function drawLand(context, { colours, world }, land, rect) {
  const hue = colours.hues[hueOf(land.owner_id ?? land.id)];
  const inside = land.id === world.landId;

  context.save();
  context.beginPath();
  context.roundRect(rect.x, rect.y, rect.width, rect.height, Math.min(8, rect.width / 4));
  // Paper first, so that the owner's colour stays clear of the ground's green.
  context.fillStyle = colours.panel;
  context.globalAlpha = 0.7;
  context.fill();
  context.fillStyle = hue;
  context.globalAlpha = inside ? 0.2 : 0.12;
  context.fill();
  context.globalAlpha = inside ? 1 : 0.7;
  context.strokeStyle = hue;
  context.lineWidth = inside ? 2.5 : 1.5;
  if (land.access === 'invited') context.setLineDash([7, 5]);
  context.stroke();
  context.restore();
}

/** @returns {object|null} the box that the words take, if they have a place in what is seen of the land */
function drawLandName(context, { camera, colours, user, name, overlays }, land, rect) {
  const seen = seenPart(camera, rect);
  if (seen.width < LABEL_MIN.width || seen.height < LABEL_MIN.height) return null;
  const owner = land.owner_id === user.id ? 'your land' : name(land.owner_id);
  const about = land.access === 'invited' ? `${owner}, by invitation` : owner;
  const widest = seen.width - 2 * LABEL_INSET;
  context.save();
  context.textBaseline = 'top';
  context.fillStyle = colours.ink;
  const fonts = [`650 14px ${colours.display}`, `500 11.5px ${colours.text}`];
  const lines = [land.title, about].map((text, index) => {
    context.font = fonts[index];
    const shown = shorten(context, text, widest);
    return { shown, width: context.measureText(shown).width };
  });
  const box = labelBox(seen, Math.max(...lines.map(({ width }) => width)), overlays);
  if (box) {
    context.font = fonts[0];
    context.fillText(lines[0].shown, box.x, box.y);
    context.globalAlpha = 0.72;
    context.font = fonts[1];
    context.fillText(lines[1].shown, box.x, box.y + 18);
  }
  context.restore();
  return box;
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

/** Distance is the larger of the two offsets, so that earshot is a square, not a disc. */
function drawEarshot(context, { camera, colours, world, still, now }) {
  const { x, y } = world.self;
  const rect = screenRect(camera, { x: x - EARSHOT, y: y - EARSHOT, width: 2 * EARSHOT, height: 2 * EARSHOT });
  context.save();
  context.beginPath();
  context.roundRect(rect.x, rect.y, rect.width, rect.height, EARSHOT_CORNER * camera.scale);
  context.fillStyle = colours.earshot;
  context.fill();
  context.globalAlpha = 0.55;
  context.strokeStyle = colours.accent;
  context.lineWidth = 1.5;
  context.setLineDash([3, 7]);
  context.lineCap = 'round';
  context.lineDashOffset = still ? 0 : -(now / 120) % 10;
  context.stroke();
  context.restore();
}

function drawTarget(context, { camera, colours, world, now, still }) {
  const { x, y } = camera.toScreen(world.target);
  const pulse = still ? 0.5 : (now % 900) / 900;
  context.save();
  context.strokeStyle = colours.accent;
  context.lineWidth = 2;
  context.globalAlpha = 1 - pulse * 0.7;
  context.beginPath();
  context.ellipse(x, y, 5 + pulse * 8, 3 + pulse * 5, 0, 0, 2 * Math.PI);
  context.stroke();
  context.restore();
}

function drawClaim(context, { camera, colours, claim }) {
  const rect = screenRect(camera, claim);
  const colour = claim.free ? colours.accent : colours.danger;
  context.save();
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.globalAlpha = 0.16;
  context.fillRect(rect.x, rect.y, rect.width, rect.height);
  context.globalAlpha = 1;
  context.lineWidth = 2;
  context.setLineDash([8, 5]);
  context.strokeRect(rect.x, rect.y, rect.width, rect.height);
  context.font = `600 13px ${colours.text}`;
  context.textBaseline = 'bottom';
  const size = `${claim.width} × ${claim.height}`;
  context.fillText(claim.free ? size : `${size}, taken`, rect.x + 2, rect.y - 5);
  context.restore();
}

function drawPeople(context, view, landNames, labelPlaces) {
  const { camera, world, user, name, typing, hovered, connected } = view;
  const others = [...world.people.values()].map((person) => ({
    person,
    label: name(person.id),
    inEarshot: person.distance <= EARSHOT,
    self: false,
    hovered: person.id === hovered,
    opacity: Math.max(0, person.opacity) * (connected ? 1 : STALE_OPACITY),
  }));
  const self = { person: { ...world.self, id: user.id }, label: name(user.id), self: true, hovered: false, opacity: 1 };
  const figures = [...others, self].filter(({ person }) => camera.shows(camera.toScreen(person)));
  // Whoever stands lower on the screen stands in front.
  figures.sort((a, b) => a.person.y - b.person.y);
  for (const figure of figures) drawFigure(context, view, figure);

  const labels = new Labels(context, view, labelPlaces);
  for (const figure of figures) labels.keepFigure(figure);
  for (const box of landNames) labels.keepLand(box);
  // The best places are for oneself, for whoever is pointed at, and then for who is nearest.
  const rank = ({ self: own, hovered: shown, person }) => (own ? -2 : shown ? -1 : person.distance);
  for (const figure of [...figures].sort((a, b) => rank(a) - rank(b))) labels.name(figure);
  const said = figures.map(({ person }) => ({ person, speech: world.speech.get(person.id) ?? (typing.has(person.id) && TYPING) }));
  const age = ({ person, speech }) => (person.id === user.id ? -Infinity : -speech.until);
  for (const { person, speech } of said.filter(({ speech: words }) => words).sort((a, b) => age(a) - age(b))) {
    labels.bubble(person, speech.text, speech.until);
  }
}
