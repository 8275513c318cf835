// Whether one is told of messages and calls while the page is hidden.

import { html, useApp, useState } from './html.js';
import { Switch } from './parts.js';

export function NotificationSettings() {
  const app = useApp();
  const [wanted, want] = useState(null); // what was switched, while the browser asks
  const { state } = app.notifier;
  if (state === 'unsupported') return null;
  if (state === 'refused') {
    return html`
      <section>
        <h3>Notifications</h3>
        <p class="warning" data-testid="notify-refused">Your browser does not let this page notify you. It can be allowed where the browser keeps the settings of this page.</p>
      </section>`;
  }
  async function turn({ currentTarget: { checked } }) {
    want(checked);
    await app.notifier.turn(checked);
    want(null); // the question may have gone unanswered
  }
  return html`
    <section>
      <h3>Notifications</h3>
      <${Switch} id="notify" label="Tell me while I look elsewhere" hint="Of messages to you, who they are from and what they say, and of calls. In this browser, without a sound"
        checked=${wanted ?? state === 'on'} onChange=${turn} />
    </section>`;
}
