// The left side: who one is and whether one is connected, the conversations,
// and the people around.

import { HERE } from '../app/app.js';
import { hueOf } from '../app/hues.js';
import { NEARBY } from '../app/spoken.js';
import { shortTime } from '../app/words.js';
import { html, useApp, useTicks } from './html.js';
import { Icon } from './icons.js';
import { inEarshot } from './nearby.js';
import { Avatar, Count, IconButton } from './parts.js';
import { PeopleList } from './people-list.js';

export function Side() {
  return html`
    <aside class="side">
      <${Brand} />
      <${Talks} />
      <${PeopleList} />
    </aside>`;
}

function Brand() {
  const app = useApp();
  const { user } = app.hereabouts;
  return html`
    <header class="brand">
      <div>
        <h1 class="wordmark">Hereabouts</h1>
        <${ConnectionState} data-testid="connection-state" />
      </div>
      <button type="button" class="me" data-testid="settings" aria-label="Settings" title="Settings"
        onClick=${() => app.set({ dialog: { kind: 'settings' } })}>
        <${Avatar} id=${user.id} name=${app.people.name(user.id)} />
        <${Icon} name="settings" size=${16} />
      </button>
    </header>`;
}

const STATES = {
  open: ['online', 'Connected'],
  connecting: ['connecting', 'Connecting…'],
  closed: ['offline', 'Not connected'],
};

function ConnectionState(attributes) {
  const app = useApp();
  const { state, retryAt } = app.hereabouts.chat;
  useTicks(1000);
  const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
  const [tone, text] = STATES[state] ?? ['offline', navigator.onLine ? `Reconnecting in ${seconds} s` : 'You are offline'];
  return html`
    <p class="connection ${tone}" data-state=${tone} ...${attributes}>
      <i></i><span role="status">${state === 'waiting' ? 'Reconnecting' : text}</span>
      ${state === 'waiting' && html`
        <button type="button" class="link" title=${text} onClick=${() => app.hereabouts.retryNow()}>Try now</button>`}
    </p>`;
}

function Talks() {
  const app = useApp();
  const { here, nearby, list } = app.conversations;
  const land = app.lands.byId.get(app.world.landId);
  return html`
    <section class="talks" aria-label="Conversations">
      <header class="section-head">
        <h2>Messages</h2>
        <${IconButton} icon="plus" label="New group" data-testid="new-group"
          onClick=${() => app.set({ dialog: { kind: 'new-group' } })} />
      </header>
      <ul class="rows" data-testid="conversations">
        ${app.world.landId !== null && html`
          <${PlaceRow} room=${HERE} of=${here} icon="flag" title=${land?.title ?? 'This land'} about=${presence(here, app.keptOut)}
            data-testid=${here ? 'conversation' : undefined} data-id=${here?.id} />`}
        <${PlaceRow} room=${app.world.landId === null ? HERE : NEARBY} of=${nearby} icon="near" title="Nearby" about=${earshot(app.world)}
          data-testid="nearby" />
        ${list.map((conversation) => html`<${TalkRow} key=${conversation.id} conversation=${conversation} />`)}
      </ul>
      ${!list.length && html`
        <p class="aside">Private messages and groups gather here.
          <span class="only-wide"> Pick somebody below to begin.</span>
          <button type="button" class="link only-phone" onClick=${() => app.set({ tab: 'people' })}>Find somebody to write to</button>
        </p>`}
    </section>`;
}

/** Where one stands: its land, or whoever is near. */
function PlaceRow({ room, of: conversation, icon, title, about, ...rest }) {
  const app = useApp();
  const isOpen = conversation !== null && conversation === app.conversation;
  return html`
    <li>
      <button type="button" class="row here" aria-current=${isOpen ? 'true' : undefined} ...${rest} onClick=${() => app.open(room)}>
        <span class="avatar place" aria-hidden="true"><${Icon} name=${icon} size=${18} /></span>
        <span class="row-text"><b>${title}</b><small>${about}</small></span>
        <${Count} of=${conversation?.unread ?? 0} />
      </button>
    </li>`;
}

function earshot(world) {
  const count = inEarshot(world).length;
  return count ? `${count} within earshot` : 'Nobody within earshot';
}

function presence(land, keptOut) {
  if (!land) return keptOut ? 'By invitation' : 'Stepping in…';
  const { presentCount: count } = land;
  return count <= 1 ? 'You are here' : `${count} people here`;
}

function TalkRow({ conversation }) {
  const app = useApp();
  const { id, kind, title, unread, others, latestAt } = conversation;
  const other = kind === 'private' ? app.people.get(others[0]) : null;
  return html`
    <li>
      <button type="button" class="row ${unread ? 'unread' : ''}" data-testid="conversation" data-id=${id}
        aria-current=${app.openRoom === id ? 'true' : undefined} onClick=${() => app.open(id)}>
        ${kind === 'group'
          ? html`<span class="avatar group hue-${hueOf(id)}" aria-hidden="true"><${Icon} name="people" size=${18} /></span>`
          : html`<${Avatar} id=${others[0] ?? id} name=${title} online=${other?.online ?? false} />`}
        <span class="row-text">
          <b>${title}</b>
          <small><${Preview} conversation=${conversation} /></small>
        </span>
        <span class="row-end">
          ${latestAt && html`<time datetime=${latestAt}>${shortTime(latestAt)}</time>`}
          <${Count} of=${unread} />
        </span>
      </button>
    </li>`;
}

function Preview({ conversation }) {
  const app = useApp();
  const { lastMessage: last, typing, kind } = conversation;
  if (typing.size) return html`<em>typing…</em>`;
  if (!last) return 'No messages yet';
  if (last.deleted) return 'Message deleted';
  if (last.sender_id === app.hereabouts.user.id) return html`You: <bdi>${last.content}</bdi>`;
  return html`${kind === 'group' && `${app.people.name(last.sender_id)}: `}<bdi>${last.content}</bdi>`;
}
