// The people on the map: a small figure in the person's colour, a name under
// it, and over it what was just said.

import { hueOf } from './palette.js';

const HEAD = 8; // pixels
const BUBBLE_WIDTH = 190;
const BUBBLE_LINES = 3;
const BUBBLE_FADE_MS = 500;

/** How far above the feet a figure's middle is: where a click on it is aimed. */
export const FIGURE_MIDDLE = 18;
export const FIGURE_REACH = 24;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {object} view  of Scene.draw
 * @param {{person: object, label: string, self: boolean, inEarshot?: boolean, speech: string|null, hovered: boolean}} figure
 */
export function drawPerson(context, view, figure) {
  const { camera, colours, now, still } = view;
  const { person, self } = figure;
  const feet = camera.toScreen(person);
  if (feet.x < -120 || feet.y < -60 || feet.x > camera.width + 120 || feet.y > camera.height + 120) return;
  const stride = person.moving && !still ? Math.sin(now / 75) : 0;
  context.save();
  context.translate(feet.x, feet.y);
  context.globalAlpha = Math.max(0, person.opacity);
  drawShadow(context, colours, figure);
  drawBody(context, colours, colours.hues[hueOf(person.id)], stride, Math.cos(person.heading ?? 0) * 2.5);
  drawName(context, colours, figure.label, self);
  if (figure.speech) drawBubble(context, colours, figure.speech, bubbleOpacity(view, person.id));
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

function drawName(context, colours, label, self) {
  context.font = `${self ? 650 : 550} 12px ${colours.text}`;
  const text = shorten(context, label, 130);
  const width = context.measureText(text).width + 14;
  context.fillStyle = self ? colours.accent : colours.panel;
  context.beginPath();
  context.roundRect(-width / 2, 8, width, 19, 9.5);
  context.fill();
  context.fillStyle = self ? colours.onAccent : colours.ink;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillText(text, 0, 18);
}

function bubbleOpacity({ world, now }, userId) {
  const speech = world.speech.get(userId);
  return speech ? Math.max(0, Math.min(1, (speech.until - now) / BUBBLE_FADE_MS)) : 1;
}

function drawBubble(context, colours, text, opacity) {
  context.font = `500 13px ${colours.text}`;
  const lines = wrap(context, text, BUBBLE_WIDTH, BUBBLE_LINES);
  const width = Math.max(...lines.map((line) => context.measureText(line).width)) + 20;
  const height = lines.length * 17 + 12;
  const top = -50 - height;
  context.globalAlpha *= opacity;
  context.fillStyle = colours.panel;
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(-width / 2, top, width, height, 12);
  context.fill();
  context.stroke();
  context.beginPath();
  context.moveTo(-6, -50.5);
  context.lineTo(0, -44);
  context.lineTo(6, -50.5);
  context.fill();
  context.fillStyle = colours.ink;
  context.textAlign = 'center';
  context.textBaseline = 'top';
  lines.forEach((line, index) => context.fillText(line, 0, top + 8 + index * 17));
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
