// Whether one is told of messages and calls while the page is hidden.

import { html, useApp } from './html.js';
import { Switch } from './parts.js';

export function NotificationSettings() {
  const app = useApp();
  const { state, wanted } = app.notifier;
  if (state === 'unsupported') return null;
  if (state === 'refused') {
    return html`
      <section>
        <h3>Notifications</h3>
        <p class="warning" data-testid="notify-refused">Your browser does not let this page notify you. It can be allowed where the browser keeps the settings of this page.</p>
      </section>`;
  }
  return html`
    <section>
      <h3>Notifications</h3>
      <${Switch} id="notify" label="Tell me while I look elsewhere" hint="Of messages to you, who they are from and what they say, and of calls. In this browser, without a sound"
        checked=${wanted ?? state === 'on'} onChange=${({ currentTarget }) => app.notifier.turn(currentTarget.checked)} />
    </section>`;
}
