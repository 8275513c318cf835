// The nearest lands and the way to them: where nothing was said on open ground, and from its heading once something was.

import { steps } from '../app/words.js';
import { Dialog } from './dialog.js';
import { html, useApp } from './html.js';

const NEAREST_LANDS = 4;

export function LandsNear() {
  const app = useApp();
  const { x, y } = app.world.self;
  const walk = ({ x: left, y: top, width, height }) => {
    app.world.walkTo(left + width / 2, top + height / 2);
    app.set({ tab: 'map', dialog: null });
  };
  return html`
    <ul class="rows lands-near">
      ${app.lands.nearest(x, y).slice(0, NEAREST_LANDS).map(({ land, distance }) => html`
        <li key=${land.id}>
          <button type="button" class="row" data-testid="land-near" onClick=${() => walk(land)}>
            <span class="row-text"><b>${land.title}</b><small>${app.people.name(land.owner_id)}’s, ${steps(distance)}</small></span>
            <span class="go">Walk there</span>
          </button>
        </li>`)}
    </ul>`;
}

export function LandsDialog({ onClose }) {
  return html`<${Dialog} title="Lands nearby" onClose=${onClose}><${LandsNear} /><//>`;
}
