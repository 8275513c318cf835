// What is said in passing, for a few seconds.

import { html, useApp } from './html.js';

export function Notices() {
  return html`
    <div class="notices" role="status" aria-live="polite">
      ${useApp().notices.map(({ id, text, tone }) => html`<p key=${id} class="notice ${tone}">${text}</p>`)}
    </div>`;
}
