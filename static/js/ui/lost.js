// Said over the map while there is no connection: what happened, and what is done about it.

import { AWAY_MS } from '../app/app.js';
import { html, useApp, useTicks } from './html.js';

const RESTARTING = 1012; // close code

export function Lost() {
  const app = useApp();
  const { state, retryAt, closeCode } = app.hereabouts.chat;
  useTicks(500);
  if (app.awaySince === null || Date.now() - app.awaySince < AWAY_MS) return null;
  let what = closeCode === RESTARTING ? 'The server is restarting' : 'The connection was lost';
  if (!app.wasConnected) what = 'Connecting takes longer than usual';
  if (!navigator.onLine) what = 'You are offline';
  const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
  return html`
    <div class="lost" data-testid="lost">
      <i></i>
      <span role="status"><b>${what}</b>${app.wasConnected && html`<small>What you write is sent afterwards.</small>`}</span>
      ${state === 'waiting'
        ? html`<button type="button" class="button" title="Next try in ${seconds} s" onClick=${() => app.hereabouts.retryNow()}>Try now</button>`
        : html`<small>Trying…</small>`}
    </div>`;
}
