// Text that has to fit: measured, cut short with dots, or broken into a few lines. What was measured is remembered: the
// same names are asked for at every frame.

const REMEMBERED = 3_000;
const context = document.createElement('canvas').getContext('2d');
const fitted = new Map();

/**
 * @param {string} font  as in CSS @param {number} width  pixels
 * @returns {{text: string, width: number}}
 */
export function shorten(font, text, width) {
  return remembered(`${font}\n${width}\n${text}`, () => {
    context.font = font;
    return cut(text, width);
  });
}

/** @param {number} most  lines @returns {{lines: string[], width: number}} the width of the widest */
export function wrap(font, text, width, most) {
  return remembered(`${font}\n${width} ${most}\n${text}`, () => {
    context.font = font;
    const lines = broken(text, width);
    const shown = lines.slice(0, most).map((line) => cut(line, width).text);
    if (lines.length > most) shown[most - 1] = cut(`${shown[most - 1]} …`, width).text;
    return { lines: shown, width: Math.max(...shown.map((line) => context.measureText(line).width)) };
  });
}

/** For when a font has come in: what was measured was another. */
export function forgetWidths() {
  fitted.clear();
}

function remembered(key, fit) {
  let result = fitted.get(key);
  if (!result) {
    if (fitted.size >= REMEMBERED) fitted.clear();
    result = fit();
    fitted.set(key, result);
  }
  return result;
}

function cut(text, width) {
  const whole = context.measureText(text).width;
  if (whole <= width) return { text, width: whole };
  const letters = [...text];
  while (letters.length && context.measureText(`${letters.join('')}…`).width > width) letters.pop();
  const shown = `${letters.join('')}…`;
  return { text: shown, width: context.measureText(shown).width };
}

function broken(text, width) {
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
  return [...lines, line];
}
