// The right side: the open conversation, from its heading to the line that is
// being written. Where one stands that is the land's, or what is said nearby.

import { HERE, OPENING } from '../app/app.js';
import { together } from '../app/words.js';
import { Composer } from './composer.js';
import { html, useApp } from './html.js';
import { MessageList } from './message-list.js';
import { EarshotLine, inEarshot, KeptOut, ScopeSwitch } from './nearby.js';
import { Avatar, Empty, IconButton } from './parts.js';
import { SearchBar, useSearch } from './search-bar.js';

export function ChatPanel() {
  const app = useApp();
  const { conversation } = app;
  const Instead = [HERE, OPENING].includes(app.openRoom) ? Opening : Gone;
  return html`
    <section class="chat" aria-label="Chat">
      ${conversation ? html`<${Talk} key=${conversation.id} conversation=${conversation} />` : html`<${Instead} />`}
    </section>`;
}

function Talk({ conversation }) {
  const app = useApp();
  const search = useSearch(conversation.rows);
  const isNearby = conversation.kind === 'nearby';
  return html`
    <${ChatHead} conversation=${conversation} search=${search} />
    ${(isNearby || conversation.kind === 'land') && html`<${ScopeSwitch} conversation=${conversation} />`}
    ${isNearby && app.keptOut && html`<${KeptOut} />`}
    ${search.found && html`<${SearchBar} conversation=${conversation} search=${search} />`}
    <${MessageList} conversation=${conversation} found=${search.found} />
    ${isNearby ? html`<${EarshotLine} />` : html`<${TypingLine} conversation=${conversation} />`}
    <${Composer} conversation=${conversation} />`;
}

function ChatHead({ conversation, search }) {
  const app = useApp();
  const { kind } = conversation;
  const searching = html`
    <${IconButton} icon="search" label="Search this conversation" data-testid="search" aria-expanded=${search.found ? 'true' : 'false'} onClick=${search.open} />`;
  if (kind === 'land' || kind === 'nearby') {
    const land = app.lands.byId.get(app.world.landId);
    const place = app.world.landId === null ? 'Open ground' : land?.title ?? 'This land';
    return html`
      <header class="chat-head">
        <div class="row-text">
          <h2>${place}</h2>
          ${kind === 'land' ? html`<${Present} conversation=${conversation} />` : html`<${Near} />`}
        </div>
        ${app.world.landId === null && conversation.rows.length > 0 && app.lands.byId.size > 0 && html`
          <${IconButton} icon="flag" label="Lands nearby" data-testid="lands-nearby" onClick=${() => app.set({ dialog: { kind: 'lands' } })} />`}
        ${searching}
      </header>`;
  }
  const back = () => app.set({ openRoom: HERE, tab: 'talks' });
  const person = kind === 'private' ? app.people.get(conversation.others[0]) : null;
  return html`
    <header class="chat-head">
      <${IconButton} icon="back" label="Back to where you stand" onClick=${back} />
      <div class="row-text">
        <h2>${conversation.title}</h2>
        <small>${person ? (person.online ? 'online' : 'offline') : `${conversation.members.length} members`}</small>
      </div>
      ${searching}
      ${person && html`
        <${IconButton} icon="phone" label="Call ${conversation.title}" onClick=${() => app.call(person, 'audio')} />
        <${IconButton} icon="video" label="Video call with ${conversation.title}" onClick=${() => app.call(person, 'video')} />`}
      ${kind === 'group' && html`
        <${IconButton} icon="people" label="Members" data-testid="group-open" onClick=${() => app.set({ dialog: { kind: 'group', conversation } })} />`}
    </header>`;
}

function Present({ conversation: { present, presentCount: count } }) {
  const app = useApp();
  const others = [...present].map(([id]) => id).filter((id) => id !== app.hereabouts.user.id);
  return html`<${Faces} ids=${others} words=${others.length ? `${count} here` : 'You are the only one here'} />`;
}

function Near() {
  const ids = inEarshot(useApp().world).map(({ id }) => id);
  return html`<${Faces} ids=${ids} words=${ids.length ? `${ids.length} within earshot` : 'Nobody within earshot'} />`;
}

function Faces({ ids, words }) {
  const app = useApp();
  return html`
    <div class="present">
      ${ids.length > 0 && html`
        <span class="faces">${ids.slice(0, 4).map((id) => html`<${Avatar} key=${id} id=${id} name=${app.people.name(id)} size="small" />`)}</span>`}
      <small>${words}</small>
    </div>`;
}

function TypingLine({ conversation }) {
  const app = useApp();
  const names = [...conversation.typing.keys()].map((id) => app.people.name(id));
  return html`
    <p class="typing" aria-live="polite" data-testid="typing">
      ${names.length > 0 && html`<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${together(names, 'is typing', 'are typing')}`}
    </p>`;
}

function Opening() {
  return html`<div class="log" aria-busy="true"><div class="skeletons" aria-label="Loading"><i></i><i></i><i></i><i></i></div></div>`;
}

function Gone() {
  const app = useApp();
  return html`
    <${Empty} icon="chat" title="This conversation is over">
      <p>You left it, or it was closed.</p>
      <button type="button" class="button" onClick=${() => app.open(HERE)}>Back to where I stand</button>
    <//>`;
}
