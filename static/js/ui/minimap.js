// The minimap in its corner: the world's name, which leads to others, and the way round by a click or a drag.

import { drawMinimap } from '../map/minimap.js';
import { html, useApp, useEffect, useRef } from './html.js';
import { Icon } from './icons.js';

const DRAW_MS = 100;

/** @param {{map: import('../map/map.js').WorldMap}} props */
export function Minimap({ map }) {
  const app = useApp();
  const canvas = useRef(null);
  const overview = useRef(null);
  useEffect(() => {
    const draw = () => {
      if (canvas.current?.clientWidth && app.hereabouts.user) overview.current = drawMinimap(canvas.current, app, map.camera);
    };
    draw();
    const timer = setInterval(draw, DRAW_MS);
    return () => clearInterval(timer);
  }, [map]);

  function look({ type, buttons, currentTarget, pointerId, offsetX: x, offsetY: y }) {
    if (!(buttons & 1) || !overview.current) return;
    if (type === 'pointerdown') currentTarget.setPointerCapture(pointerId);
    map.lookAt(overview.current.toWorld({ x, y }));
  }

  return html`
    <div class="minimap" data-testid="minimap-card">
      <button type="button" class="minimap-world" data-testid="world" aria-label="World: ${app.world.id}. Go to another."
        title="Go to another world" onClick=${() => app.set({ dialog: { kind: 'world' } })}>
        <${Icon} name="globe" size=${15} /><span>${app.world.id}</span>
      </button>
      <canvas ref=${canvas} data-testid="minimap" aria-hidden="true" onPointerDown=${look} onPointerMove=${look}></canvas>
    </div>`;
}
