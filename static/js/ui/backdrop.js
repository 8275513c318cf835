// A quiet piece of the map behind the way in: ground and contours, no people.

import { Camera } from '../map/camera.js';
import { Palette } from '../map/palette.js';
import { paintGround } from '../map/terrain.js';
import { html, useEffect, useRef } from './html.js';

export function Backdrop() {
  const canvas = useRef(null);
  useEffect(() => {
    const context = canvas.current.getContext('2d', { alpha: false });
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const palette = new Palette();
    const draw = () => {
      const { clientWidth: width, clientHeight: height } = canvas.current;
      Object.assign(canvas.current, { width: width * devicePixelRatio, height: height * devicePixelRatio });
      context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
      const camera = Object.assign(new Camera(), { width, height, scale: 18, x: 310, y: 120 });
      paintGround(context, camera, palette.colours);
    };
    const resizes = new ResizeObserver(draw);
    resizes.observe(canvas.current);
    scheme.addEventListener('change', draw);
    return () => {
      resizes.disconnect();
      scheme.removeEventListener('change', draw);
    };
  }, []);
  return html`<canvas ref=${canvas} class="backdrop" aria-hidden="true"></canvas>`;
}
