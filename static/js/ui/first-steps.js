// For whoever has just come: who is there to be spoken to, and how one walks. Each goes once it was done, for good.

import { EARSHOT } from '../app/world.js';
import { html, useApp, useEffect, useState, useTicks } from './html.js';
import { Icon } from './icons.js';
import { Avatar } from './parts.js';

const LOOK_MS = 300;
const DONE_KEY = 'hereabouts.first_steps'; // of this browser

export function FirstSteps() {
  const app = useApp();
  const [done, setDone] = useState(() => (localStorage.getItem(DONE_KEY) ?? '').split(' '));
  const tick = (step) => {
    if (done.includes(step)) return;
    localStorage.setItem(DONE_KEY, [...done, step].join(' ').trim());
    setDone([...done, step]);
  };
  useEffect(() => app.hereabouts.chat.on('outgoing', () => tick('talked')), [done]);
  const [nearest] = app.world.nearby;
  const { kind } = app.conversation ?? {};
  // Whatever is open of where one stands, a land's or what is said aloud, is what the greeting goes to.
  const inEarshot = nearest?.distance <= EARSHOT && !done.includes('talked') && ['land', 'nearby'].includes(kind);
  if (app.claiming || (!inEarshot && done.includes('walked'))) return null;
  return html`
    <div class="first-steps">
      ${inEarshot && html`
        <button type="button" class="button primary" data-testid="say-hello" onClick=${() => talk(app)}>
          <${Avatar} id=${nearest.id} name=${app.people.name(nearest.id)} size="small" /><span>Say hello</span>
        </button>`}
      ${!done.includes('walked') && html`<${HowToWalk} onWalked=${() => tick('walked')} />`}
    </div>`;
}

function HowToWalk({ onWalked }) {
  const { world } = useApp();
  useTicks(LOOK_MS); // no event tells of steps
  useEffect(() => { if (world.hasWalked) onWalked(); });
  return html`
    <p data-testid="how-to-walk">
      <${Icon} name="walk" size=${18} />
      <span class="by-mouse">Click to walk, or use the arrow keys</span><span class="by-touch">Tap to walk</span>
    </p>`;
}

/** To the line that is written, if there is one. @param {import('../app/app.js').App} app */
export function talk(app) {
  app.set({ tab: 'chat' });
  // A phone's sheet is there once the page has drawn itself anew.
  setTimeout(() => document.querySelector('.chat textarea')?.focus());
}

/** Enter on the map leads to the line that is written, Escape back. @param {KeyboardEvent} event */
export function keysBetweenMapAndTalk(app, event) {
  const { key, target } = event;
  const onMap = target === document.body || target.matches('.stage canvas');
  if (key === 'Enter' && onMap) {
    event.preventDefault();
    talk(app);
  } else if (key === 'Escape' && target.matches('.chat textarea')) {
    document.querySelector('.stage canvas').focus();
  }
}
