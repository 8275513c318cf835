// Claiming land: the button over the map, and what stands in its place while a rectangle is drawn.

import { html, useApp, useLayoutEffect, useRef } from './html.js';
import { Icon } from './icons.js';

const SIZE = { width: 12, height: 10 }; // that the dialog begins with, where nothing was drawn

export function Claim() {
  const app = useApp();
  const { claiming } = app;
  const first = useRef(null);
  const before = useRef(claiming);
  // One takes the other's place, and so its focus.
  useLayoutEffect(() => {
    if (before.current !== claiming && document.activeElement === document.body) first.current.focus();
    before.current = claiming;
  }, [claiming]);

  if (!claiming) {
    return html`
      <button type="button" ref=${first} key="claim" class="button floating claim" data-testid="claim-land"
        onClick=${() => app.set({ claiming: true, tab: 'map' })}>
        <${Icon} name="flag" size=${18} />Claim land
      </button>`;
  }
  const byNumbers = () => {
    const { x, y } = app.world.self;
    const rect = { x: Math.round(x - SIZE.width / 2), y: Math.round(y - SIZE.height / 2), ...SIZE };
    app.set({ claiming: false, dialog: { kind: 'claim', rect } });
  };
  return html`
    <div class="claim-bar" key="bar" role="group" aria-label="Claim land">
      <span role="status">Drag a rectangle on open ground.</span>
      <button type="button" ref=${first} class="link" data-testid="claim-by-numbers" onClick=${byNumbers}>Type it in</button>
      <button type="button" class="link" onClick=${() => app.set({ claiming: false })}>Cancel</button>
    </div>`;
}
