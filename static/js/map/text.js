// Text that has to fit: cut short with dots, or broken into a few lines.

/** @param {number} width  pixels, in the context's font */
export function shorten(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  const letters = [...text];
  while (letters.length && context.measureText(`${letters.join('')}…`).width > width) letters.pop();
  return `${letters.join('')}…`;
}

/** @param {number} most  lines @returns {string[]} */
export function wrap(context, text, width, most) {
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
