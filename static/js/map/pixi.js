// The one door to the vendored renderer: WebGL, or its own drawing on a canvas where a browser has none. Loaded
// when the map is, not with the page.

import { CanvasRenderer, WebGLRenderer } from '../../vendor/pixi-8.22.0/pixi.min.js';

export { CanvasSource, Container, Rectangle, Sprite, Texture } from '../../vendor/pixi-8.22.0/pixi.min.js';

const COMMON = {
  autoDensity: false, // the style sheet says how large the canvas is
  backgroundAlpha: 1,
  clearBeforeRender: true,
  skipExtensionImports: true, // the map listens and speaks for itself
};

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {Promise<object>} a renderer of Pixi's; `name` is `webgl` or `canvas`
 */
export async function rendererFor(canvas) {
  const Renderer = hasWebGl() ? WebGLRenderer : CanvasRenderer;
  const renderer = new Renderer();
  // Edges of lands lie on pixels, and all that is round is painted beforehand: nothing is left to smooth.
  await renderer.init({ ...COMMON, canvas, antialias: false, preferWebGLVersion: 2 });
  return renderer;
}

function hasWebGl() {
  const context = document.createElement('canvas').getContext('webgl2');
  context?.getExtension('WEBGL_lose_context')?.loseContext(); // browsers allow a page a few
  return context !== null;
}
