// The right side: the open conversation, from its heading to the line that is
// being written; or, on open ground, where to go to find one.

import { HERE, OPENING } from '../app/app.js';
import { steps, together } from '../app/words.js';
import { Composer } from './composer.js';
import { html, useApp } from './html.js';
import { MessageList } from './message-list.js';
import { Avatar, Empty, IconButton } from './parts.js';

const NEAREST_LANDS = 4;

export function ChatPanel() {
  const app = useApp();
  const { conversation } = app;
  if (!conversation) {
    const Instead = { [HERE]: OpenGround, [OPENING]: Opening }[app.openRoom] ?? Gone;
    return html`<section class="chat" aria-label="Chat"><${Instead} /></section>`;
  }
  return html`
    <section class="chat" aria-label="Chat">
      <${ChatHead} conversation=${conversation} />
      <${MessageList} key=${conversation.id} conversation=${conversation} />
      <${TypingLine} conversation=${conversation} />
      <${Composer} key="write-${conversation.id}" conversation=${conversation} />
    </section>`;
}

function ChatHead({ conversation }) {
  const app = useApp();
  const { kind } = conversation;
  const back = () => app.set({ openRoom: HERE, tab: 'talks' });
  if (kind === 'land') {
    const land = app.lands.byId.get(conversation.id);
    return html`
      <header class="chat-head">
        <div class="row-text"><h2>${land?.title ?? 'This land'}</h2><${Present} conversation=${conversation} /></div>
      </header>`;
  }
  const person = kind === 'private' ? app.people.get(conversation.others[0]) : null;
  return html`
    <header class="chat-head">
      <${IconButton} icon="back" label="Back to the land’s chat" onClick=${back} />
      <div class="row-text">
        <h2>${conversation.title}</h2>
        <small>${person ? (person.online ? 'online' : 'offline') : `${conversation.members.length} members`}</small>
      </div>
      ${person && html`
        <${IconButton} icon="phone" label="Call ${conversation.title}" onClick=${() => app.call(person, 'audio')} />
        <${IconButton} icon="video" label="Video call with ${conversation.title}" onClick=${() => app.call(person, 'video')} />`}
      ${kind === 'group' && html`
        <${IconButton} icon="people" label="Members" data-testid="group-open" onClick=${() => app.set({ dialog: { kind: 'group', conversation } })} />`}
    </header>`;
}

function Present({ conversation: { present, presentCount: count } }) {
  const app = useApp();
  const others = [...present].filter(([id]) => id !== app.hereabouts.user.id);
  if (!others.length) return html`<small>You are the only one here</small>`;
  return html`
    <div class="present">
      <span class="faces">${others.slice(0, 4).map(([id]) => html`<${Avatar} key=${id} id=${id} name=${app.people.name(id)} size="small" />`)}</span>
      <small>${count} here</small>
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

function OpenGround() {
  const app = useApp();
  const { landError } = app.conversations;
  const { x, y } = app.world.self;
  const nearest = app.lands.nearest(x, y).slice(0, NEAREST_LANDS);
  const walk = ({ x: left, y: top, width, height }) => {
    app.world.walkTo(left + width / 2, top + height / 2);
    app.set({ tab: 'map' });
  };
  if (landError && landError.landId === app.world.landId) {
    return html`
      <${Empty} icon="flag" title="This land is by invitation">
        <p>You may walk through, but its conversation is for those its owner lists.</p>
      <//>`;
  }
  return html`
    <${Empty} icon="walk" title="You are on open ground">
      <p>Each land has a conversation of its own. Step into one to join whoever is there${nearest.length ? ':' : '.'}</p>
      ${nearest.length > 0 && html`
        <ul class="rows lands-near">
          ${nearest.map(({ land, distance }) => html`
            <li key=${land.id}>
              <button type="button" class="row" onClick=${() => walk(land)}>
                <span class="row-text"><b>${land.title}</b><small>${app.people.name(land.owner_id)}’s, ${steps(distance)}</small></span>
                <span class="go">Walk there</span>
              </button>
            </li>`)}
        </ul>`}
      ${!nearest.length && html`
        <p>There are no lands around yet. Be the first.</p>
        <button type="button" class="button" onClick=${() => app.set({ claiming: true, tab: 'map' })}>Claim this spot</button>`}
    <//>`;
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
