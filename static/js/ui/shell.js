// The page of somebody signed in: side, map and chat, beside each other on a
// desktop; on a phone the map with a sheet over it and tabs below.

import { ChatPanel } from './chat-panel.js';
import { CallViews } from './call-views.js';
import { Dialogs } from './dialogs.js';
import { html, useApp, useEffect } from './html.js';
import { Icon } from './icons.js';
import { MapView } from './map-view.js';
import { Count } from './parts.js';
import { PersonMenu } from './person-menu.js';
import { Side } from './side.js';

const TABS = [
  { id: 'map', icon: 'map', label: 'Map' },
  { id: 'chat', icon: 'chat', label: 'Chat' },
  { id: 'talks', icon: 'inbox', label: 'Messages' },
  { id: 'people', icon: 'people', label: 'People' },
];

export function Shell() {
  const app = useApp();
  const { unread } = app.conversations;
  useEffect(() => {
    document.title = unread ? `(${unread}) Hereabouts` : 'Hereabouts';
  }, [unread]);
  return html`
    <div class="shell" data-tab=${app.tab}>
      <a class="skip-link" href="#map">Skip to the map</a>
      <${Side} />
      <${MapView} />
      <${ChatPanel} key=${app.openRoom} />
      <${Tabs} />
      <${CallViews} />
      ${app.menu && html`<${PersonMenu} key=${app.menu.person.id} ...${app.menu} />`}
      <${Dialogs} />
    </div>`;
}

function Tabs() {
  const app = useApp();
  const { conversation, conversations } = app;
  const chat = conversation?.unread ?? 0;
  const unread = { chat, talks: conversations.unread - (conversation === conversations.nearby ? 0 : chat) };
  return html`
    <nav class="tabs" aria-label="Views">
      ${TABS.map(({ id, icon, label }) => html`
        <button type="button" key=${id} data-testid="tab-${id}" aria-current=${app.tab === id ? 'page' : undefined}
          onClick=${() => app.set({ tab: id })}>
          <span class="tab-icon"><${Icon} name=${icon} size=${22} /><${Count} of=${unread[id] ?? 0} /></span>
          ${label}
        </button>`)}
    </nav>`;
}
