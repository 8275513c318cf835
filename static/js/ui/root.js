// The topmost view: what the page is at all, by the phase that the app is in.

import { AuthCard } from './auth-card.js';
import { Backdrop } from './backdrop.js';
import { AppContext, html, useChanges, useErrorBoundary } from './html.js';
import { Notices } from './notices.js';
import { Shell } from './shell.js';

export function Root({ app }) {
  useChanges(app);
  const [fault] = useErrorBoundary((error) => reportError(error));
  if (fault) return html`<${Broken} />`;
  return html`
    <${AppContext.Provider} value=${app}>
      <${Phase} app=${app} phase=${app.phase} />
      ${app.phase !== 'signed_in' && html`<${Notices} />`}
    <//>`;
}

/** A fault of the page's own: better said than a page that is half there. */
function Broken() {
  return html`
    <div class="gate">
      <main class="gate-card" data-testid="broken">
        <h1 class="wordmark">Hereabouts</h1>
        <p class="gate-line" role="alert">Something went wrong on this page. What was sent is not lost.</p>
        <button type="button" class="button primary wide" onClick=${() => location.reload()}>Load again</button>
      </main>
    </div>`;
}

function Phase({ app, phase }) {
  switch (phase) {
    case 'signed_in': return html`<${Shell} />`;
    case 'signed_out': return html`<${AuthCard} />`;
    case 'unreachable': return html`
      <div class="gate">
        <${Backdrop} />
        <main class="gate-card">
          <h1 class="wordmark">Hereabouts</h1>
          <p class="gate-line" role="alert">The server cannot be reached just now. Trying again every few seconds.</p>
          <button type="button" class="button primary wide" onClick=${() => app.start()}>Try now</button>
        </main>
      </div>`;
    default: return html`<main class="splash" aria-busy="true"><h1 class="wordmark">Hereabouts</h1><p class="splash-wait" role="status">Connecting…</p></main>`;
  }
}
