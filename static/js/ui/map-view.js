// The middle of the page: the map's canvas, the name of the land underfoot,
// the minimap, and at its foot what dock.js has.

import { Unseen } from '../map/unseen.js';
import { Dock } from './dock.js';
import { keysBetweenMapAndTalk } from './first-steps.js';
import { html, useApp, useEffect, useRef, useState } from './html.js';
import { loadMap } from './load-map.js';
import { Minimap } from './minimap.js';
import { IconButton } from './parts.js';

const OVER_MAP = '.stage > .land-label, .stage > .minimap, .dock > .map-tools, .dock > .passing > *, .dock > .first-steps > *, .dock-row > *, .shell > .call-panel';
const NEAR_TOP = 90; // pixels: what begins above is at the top

export function MapView() {
  const app = useApp();
  const canvas = useRef(null);
  const [map, setMap] = useState(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let gone = false;
    const unseen = new Unseen(app);
    const opening = loadMap().then(({ WorldMap }) => gone || WorldMap.open(canvas.current, app));
    opening.then((made) => {
      unseen.stop();
      app.map = gone ? null : made;
      setMap(app.map);
    }, (error) => {
      setFailed(true);
      reportError(error);
    });
    return () => {
      gone = true;
      unseen.stop();
      app.map = null;
      opening.then((made) => made.destroy?.(), () => null); // told above
    };
  }, []);
  // The page is drawn anew at every change, and at least once a second: so are these.
  useEffect(() => {
    if (map) cover(map, canvas.current, app.tab);
  });
  useEffect(() => {
    const onKey = (event) => {
      if (event.key === 'Escape' && app.claiming) app.set({ claiming: false });
      else keysBetweenMapAndTalk(app, event);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);

  return html`
    <main class="stage ${app.claiming ? 'claiming' : ''}">
      <canvas ref=${canvas} data-testid="map" tabindex="0" role="application"
        id="map" aria-label="Map. Walk with the arrow keys or W, A, S and D; Enter leads to the chat. People and lands are listed beside it."></canvas>
      <${LandLabel} />
      ${(failed || map?.isLost) && html`<${NoPicture} failed=${failed} />`}
      ${map && html`<${Minimap} map=${map} />`}
      <${Dock} map=${map} />
    </main>`;
}

function LandLabel() {
  const app = useApp();
  const { landId } = app.world;
  const land = app.lands.byId.get(landId);
  const mine = land?.owner_id === app.hereabouts.user.id;
  const name = landId ? land?.title ?? 'A land' : 'Open ground';
  return html`
    <div class="land-label" data-testid="land-label" role="status">
      <b>${name}</b>
      <span>${land ? (mine ? 'your land' : `land of ${app.people.name(land.owner_id)}`) : landId ? '' : 'nobody’s land'}</span>
      ${mine && html`<${IconButton} icon="settings" size=${16} label="Change this land" data-testid="land-change"
        onClick=${() => app.set({ dialog: { kind: 'land', land } })} />`}
    </div>`;
}

/** There is no map to be seen, for good or for a moment. */
function NoPicture({ failed }) {
  return html`
    <div class="no-picture" data-testid="no-picture" role="alert">
      <b>${failed ? 'The map cannot be drawn here' : 'The map went dark for a moment'}</b>
      <p>${failed
        ? 'This browser would not load or show it. Everything else works: people, lands and conversations are listed beside it.'
        : 'The browser took the graphics away and is about to give them back.'}</p>
      ${failed && html`<button type="button" class="button" onClick=${() => location.reload()}>Load again</button>`}
    </div>`;
}

/** Tells the map what lies over it, so that one's avatar and all words stay in view. */
function cover(map, canvas, tab) {
  const { left, top } = canvas.getBoundingClientRect();
  map.overlays = [...document.querySelectorAll(OVER_MAP)]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }))
    .map((element) => element.getBoundingClientRect())
    .map(({ x, y, width, height }) => ({ x: x - left, y: y - top, width, height }));
  const sheet = document.querySelector('.shell > .chat');
  const isPhone = getComputedStyle(sheet).position === 'fixed';
  const lowest = Math.max(0, ...map.overlays.filter(({ y }) => y < NEAR_TOP).map(({ y, height }) => y + height));
  // What comes and goes at the foot does not move the map, what stays there does.
  const foot = canvas.offsetHeight - document.querySelector('.dock-row').getBoundingClientRect().top + top;
  map.camera.covered = isPhone ? { above: lowest, below: tab === 'map' ? foot : sheet.offsetHeight } : { above: 0, below: 0 };
}
