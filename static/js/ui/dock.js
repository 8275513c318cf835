// What lies at the foot of the map, in one grid, so that nothing of it can lie over something else: what is
// said in passing, the first steps, the switch of the voice, claiming, and the tools of the map.

import { Claim } from './claim.js';
import { FirstSteps } from './first-steps.js';
import { html } from './html.js';
import { Lost } from './lost.js';
import { Notices } from './notices.js';
import { IconButton } from './parts.js';
import { VoiceBar } from './voice-bar.js';

const ZOOM_STEP = 1.35;

/** @param {{map: import('../map/map.js').WorldMap|null}} props */
export function Dock({ map }) {
  return html`
    <div class="dock">
      <div class="passing"><${Lost} /><${Notices} /></div>
      <${FirstSteps} />
      <div class="map-tools" role="toolbar" aria-label="Map">
        <${IconButton} icon="plus" label="Zoom in" onClick=${() => map?.camera.zoom(ZOOM_STEP)} />
        <${IconButton} icon="minus" label="Zoom out" onClick=${() => map?.camera.zoom(1 / ZOOM_STEP)} />
        <${IconButton} icon="target" label="Back to me" onClick=${() => map?.recentre()} />
      </div>
      <div class="dock-row"><${VoiceBar} /><${Claim} /></div>
    </div>`;
}
