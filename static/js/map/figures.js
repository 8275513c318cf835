// The people on the map: a small figure each, in the person's colour, that
// strides when it walks and looks where it goes.

import { hueOf } from '../app/hues.js';

// Of the drawing below, which is in pixels: it grows with the map, less than the map does.
const SIZE_PER_SCALE = 1.25 / 17;
const SMALLEST = 1;
const LARGEST = 1.5;
const HEAD = 8;

/**
 * @param {import('./camera.js').Camera} camera
 * @returns {{size: number, top: number, middle: number, reach: number}} how far above the feet there is room
 *   for words, and a figure's middle, where a click on it is aimed; how far that may miss
 */
export function figureMeasures({ scale }) {
  const size = Math.min(LARGEST, Math.max(SMALLEST, scale * SIZE_PER_SCALE));
  return { size, top: 45 * size, middle: 18 * size, reach: 22 * size };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {object} view  of Scene.draw
 * @param {{person: object, self: boolean, inEarshot?: boolean, hovered: boolean, opacity: number}} figure
 */
export function drawFigure(context, view, figure) {
  const { camera, colours, now, still } = view;
  const { person } = figure;
  const feet = camera.toScreen(person);
  const { size } = figureMeasures(camera);
  if (!camera.shows(feet)) return;
  const stride = person.moving && !still ? Math.sin(now / 75) : 0;
  context.save();
  context.translate(feet.x, feet.y);
  context.scale(size, size);
  context.globalAlpha = figure.opacity;
  drawShadow(context, colours, figure);
  drawBody(context, colours, colours.hues[hueOf(person.id)], stride, Math.cos(person.heading ?? 0) * 2.5);
  context.restore();
}

function drawShadow(context, colours, { self, inEarshot, hovered }) {
  context.beginPath();
  context.ellipse(0, 0, 13, 5.5, 0, 0, 2 * Math.PI);
  context.fillStyle = self || inEarshot ? colours.accent : colours.ink;
  const alpha = context.globalAlpha;
  context.globalAlpha = alpha * (self || inEarshot ? 0.34 : 0.18);
  context.fill();
  context.globalAlpha = alpha;
  if (!hovered) return;
  context.strokeStyle = colours.accent;
  context.lineWidth = 2;
  context.stroke();
}

function drawBody(context, colours, hue, stride, lean) {
  const lift = Math.abs(stride) * 2;
  context.strokeStyle = colours.ink;
  context.lineWidth = 3;
  context.lineCap = 'round';
  context.beginPath();
  context.moveTo(-3, -9);
  context.lineTo(-3.5 + stride * 3, -1);
  context.moveTo(3, -9);
  context.lineTo(3.5 - stride * 3, -1);
  context.stroke();

  context.translate(0, -lift);
  context.fillStyle = hue;
  context.strokeStyle = colours.panel;
  context.lineWidth = 2;
  context.beginPath();
  context.roundRect(-9, -27, 18, 20, [9, 9, 5, 5]);
  context.fill();
  context.stroke();
  context.beginPath();
  context.arc(0, -32, HEAD, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
  context.fillStyle = colours.onHue;
  for (const side of [-2.6, 2.6]) {
    context.beginPath();
    context.arc(side + lean, -32.5, 1.3, 0, 2 * Math.PI);
    context.fill();
  }
  context.translate(0, lift);
}
