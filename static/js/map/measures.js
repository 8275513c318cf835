// How large a figure is drawn, for everything that has to keep clear of one or to hit it. Pure.

// Of the drawing in figures.js, which is in pixels: it grows with the map, less than the map does.
const SIZE_PER_SCALE = 1.25 / 17;
const SMALLEST = 1;
export const LARGEST = 1.5;

/**
 * @param {{scale: number}} camera
 * @returns {{size: number, top: number, middle: number, reach: number}} how far above the feet there is room
 *   for words, and a figure's middle, where a click on it is aimed; how far that may miss
 */
export function figureMeasures({ scale }) {
  const size = Math.min(LARGEST, Math.max(SMALLEST, scale * SIZE_PER_SCALE));
  return { size, top: 45 * size, middle: 18 * size, reach: 22 * size };
}
