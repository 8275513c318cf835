// The topmost view: what the page is at all, by the phase that the app is in.

import { AuthCard } from './auth-card.js';
import { AppContext, html, useChanges } from './html.js';
import { Shell } from './shell.js';

export function Root({ app }) {
  useChanges(app);
  return html`
    <${AppContext.Provider} value=${app}>
      <${Phase} app=${app} phase=${app.phase} />
      <div class="notices" role="status" aria-live="polite">
        ${app.notices.map(({ id, text, tone }) => html`<p key=${id} class="notice ${tone}">${text}</p>`)}
      </div>
    <//>`;
}

function Phase({ app, phase }) {
  switch (phase) {
    case 'signed_in': return html`<${Shell} />`;
    case 'signed_out': return html`<${AuthCard} />`;
    case 'unreachable': return html`
      <main class="splash">
        <h1 class="wordmark">Hereabouts</h1>
        <p role="alert">The server cannot be reached just now. Trying again every few seconds.</p>
        <button type="button" class="button primary" onClick=${() => app.start()}>Try now</button>
      </main>`;
    default: return html`<main class="splash" aria-busy="true"><h1 class="wordmark">Hereabouts</h1><p class="splash-wait" role="status">Connecting…</p></main>`;
  }
}
