// Draws the minimap: lands, people in view, oneself, and the frame of what the map shows. A few times a second, on a
// canvas of its own; the view that holds it says when.

import { hueOf } from '../app/hues.js';
import { EARSHOT } from '../app/world.js';
import { Overview } from './overview.js';
import { Palette } from './palette.js';

const DOT = 1.9; // pixels
const palette = new Palette();

/**
 * @param {HTMLCanvasElement} canvas  square
 * @param {import('../app/app.js').App} app
 * @param {import('./camera.js').Camera} camera
 * @returns {Overview} how it lies now, for clicks
 */
export function drawMinimap(canvas, app, camera) {
  const { world, lands } = app;
  const { colours } = palette;
  const size = canvas.clientWidth;
  const density = devicePixelRatio;
  if (canvas.width !== Math.round(size * density)) canvas.width = canvas.height = Math.round(size * density);
  const context = canvas.getContext('2d', { alpha: false });
  const overview = new Overview(world.self, size);
  context.setTransform(density, 0, 0, density, 0, 0);
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, size, size);
  for (const land of lands.byId.values()) drawLand(context, colours, overview, land, land.id === world.landId);
  drawReach(context, colours, overview, world.self);
  for (const person of world.people.values()) {
    if (!person.leftAt) drawDot(context, overview.toMap(person), DOT, colours.hues[hueOf(person.id)]);
  }
  const self = overview.toMap(world.self);
  drawDot(context, self, DOT + 2.2, colours.panel);
  drawDot(context, self, DOT + 1, colours.accent);
  drawView(context, colours, overview, camera.bounds);
  return overview;
}

function drawLand(context, colours, overview, land, inside) {
  const { x, y, width, height } = overview.rect(land);
  const hue = colours.hues[hueOf(land.owner_id ?? land.id)];
  context.fillStyle = colours.panel;
  context.globalAlpha = 0.8;
  context.fillRect(x, y, width, height);
  context.fillStyle = hue;
  context.globalAlpha = inside ? 0.4 : 0.25;
  context.fillRect(x, y, width, height);
  context.globalAlpha = 1;
  context.strokeStyle = hue;
  context.lineWidth = inside ? 1.5 : 1;
  context.strokeRect(x, y, width, height);
}

function drawReach(context, colours, overview, { x, y }) {
  const rect = overview.rect({ x: x - EARSHOT, y: y - EARSHOT, width: 2 * EARSHOT, height: 2 * EARSHOT });
  context.fillStyle = colours.earshot;
  context.beginPath();
  context.roundRect(rect.x, rect.y, rect.width, rect.height, 4);
  context.fill();
}

function drawView(context, colours, overview, { x0, y0, x1, y1 }) {
  const rect = overview.rect({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
  context.strokeStyle = colours.ink;
  context.globalAlpha = 0.45;
  context.lineWidth = 1;
  context.strokeRect(Math.round(rect.x) + 0.5, Math.round(rect.y) + 0.5, Math.round(rect.width), Math.round(rect.height));
  context.globalAlpha = 1;
}

function drawDot(context, { x, y }, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
