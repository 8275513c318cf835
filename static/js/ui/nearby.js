// Speaking aloud, beside the conversation itself: who hears, the choice between a land and those near,
// and what there is where nobody has spoken yet.

import { HERE } from '../app/app.js';
import { NEARBY } from '../app/spoken.js';
import { together } from '../app/words.js';
import { EARSHOT } from '../app/world.js';
import { html, useApp } from './html.js';
import { Icon } from './icons.js';
import { LandsNear } from './lands-near.js';
import { Count, Empty } from './parts.js';

/** @param {import('../app/world.js').World} world @returns {object[]} those who would hear, nearest first */
export function inEarshot(world) {
  return world.nearby.filter(({ distance }) => distance <= EARSHOT);
}

/** Over the line that is being written: for whom. */
export function EarshotLine() {
  const app = useApp();
  const names = inEarshot(app.world).map(({ id }) => app.people.name(id));
  return html`
    <p class="typing earshot" id="earshot" data-testid="earshot">
      <${Icon} name="near" size=${15} />
      <span>${names.length ? together(names, 'hears you', 'hear you') : 'Nobody is near enough to hear you'}</span>
    </p>`;
}

/** On a land: whether one talks to all of it or to those near. */
export function ScopeSwitch({ conversation }) {
  const app = useApp();
  const { here, nearby } = app.conversations;
  if (!here) return null;
  const scopes = [[here, HERE, 'flag', 'All of this land'], [nearby, NEARBY, 'near', 'Nearby']];
  return html`
    <div class="scope" role="group" aria-label="Who you talk to">
      ${scopes.map(([scope, room, icon, label]) => html`
        <button type="button" key=${room} aria-pressed=${scope === conversation ? 'true' : 'false'} data-testid="scope-${room}" onClick=${() => app.open(room)}>
          <${Icon} name=${icon} size=${16} />${label}${scope !== conversation && html`<${Count} of=${scope.unread} />`}
        </button>`)}
    </div>`;
}

/** In place of what was said nearby, while that is nothing. */
export function NothingSaid() {
  const app = useApp();
  if (app.conversations.here || app.keptOut) {
    return html`
      <${Empty} icon="near" title="Nothing said nearby">
        <p>Only those who stand close to you hear what you say here.</p>
      <//>`;
  }
  const { x, y } = app.world.self;
  const some = app.lands.nearest(x, y).length > 0;
  return html`
    <${Empty} icon="walk" title="You are on open ground">
      <p>Whoever stands close hears what you say. Each land has a conversation of its own${some ? ':' : '.'}</p>
      ${some && html`<${LandsNear} />`}
      ${!some && html`
        <p>There are no lands around yet. Be the first.</p>
        <button type="button" class="button" onClick=${() => app.set({ claiming: true, tab: 'map' })}>Claim this spot</button>`}
    <//>`;
}

/** Why there is no land's conversation where one stands. */
export function KeptOut() {
  return html`
    <p class="kept-out"><b>This land is by invitation.</b> Its conversation is for those its owner lists. Whoever stands close hears you.</p>`;
}
