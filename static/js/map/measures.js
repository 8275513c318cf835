// How large a figure is drawn, for everything that has to keep clear of one or to hit it. Pure.

// Of the drawing in figures.js, which is in pixels: it grows with the map, less than the map does.
const SIZE_PER_SCALE = 1.25 / 17;
const USUAL = 1; // down to a phone's scale, so that a finger still finds one
const FROM_AFAR = 10; // pixels a unit: seen from farther up, figures would stand on each other
const SMALLEST = 0.5;
export const LARGEST = 1.5;

/**
 * @param {{scale: number}} camera
 * @returns {{size: number, top: number, middle: number, reach: number}} how far above the feet there is room
 *   for words, and a figure's middle, where a click on it is aimed; how far that may miss
 */
export function figureMeasures({ scale }) {
  const size = scale < FROM_AFAR
    ? Math.max(SMALLEST, (USUAL * scale) / FROM_AFAR)
    : Math.min(LARGEST, Math.max(USUAL, scale * SIZE_PER_SCALE));
  return { size, top: 45 * size, middle: 18 * size, reach: 22 * size };
}
