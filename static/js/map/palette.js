// The map's colours, read from the style sheet, so that the canvas follows the
// page between light and dark.

import { HUES } from '../app/hues.js';

export class Palette {
  #colours = null;

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#colours = null;
    });
  }

  /** @returns {Record<string, any>} `hues` is a list; the rest by the tokens' own names */
  get colours() {
    this.#colours ??= read();
    return this.#colours;
  }
}

function read() {
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ground: token('ground'),
    contour: token('contour'),
    tuft: token('tuft'),
    earshot: token('earshot'),
    panel: token('panel'),
    ink: token('ink'),
    muted: token('muted'),
    accent: token('accent'),
    onAccent: token('on-accent'),
    line: token('line'),
    danger: token('danger'),
    good: token('good'),
    onHue: token('on-hue'),
    hues: Array.from({ length: HUES }, (_, index) => token(`hue-${index}`)),
    display: token('font-display'),
    text: token('font-text'),
  };
}
