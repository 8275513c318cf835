// The one door to the vendored renderer: WebGL where a graphics card does it, and else Pixi's own drawing on a canvas,
// which a processor is several times faster at (docs/performance.md). Loaded when the map is, not with the page.

import { CanvasRenderer, WebGLRenderer } from '../../vendor/pixi-8.22.0/pixi.min.js';

export { CanvasSource, Container, Rectangle, Sprite, Texture } from '../../vendor/pixi-8.22.0/pixi.min.js';

/** Pictures that one draw call may take from. Pixi's 16 make each pixel choose among 16, which a weak card feels. */
const BATCHED = 4;

/** What draws without a card, by the names it goes by. */
const PROCESSOR = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {Promise<object>} a renderer of Pixi's; `name` is `webgl` or `canvas`
 */
export async function rendererFor(canvas) {
  const renderer = hasGraphicsCard() ? new WebGLRenderer() : new CanvasRenderer();
  await renderer.init({
    canvas,
    antialias: false, // edges of boxes lie on pixels, and all that is round is painted beforehand
    skipExtensionImports: true, // the map listens and speaks for itself
  });
  renderer.limits.maxBatchableTextures = BATCHED;
  return renderer;
}

function hasGraphicsCard() {
  const context = document.createElement('canvas').getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  if (!context) return false;
  // Chromium's SwiftShader passes as none of a caveat.
  const asked = context.getExtension('WEBGL_debug_renderer_info')?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER;
  const name = context.getParameter(asked);
  context.getExtension('WEBGL_lose_context')?.loseContext(); // browsers allow a page a few
  return !PROCESSOR.test(name);
}
