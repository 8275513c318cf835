// One message: who, what, when, and how far it got.

import { inWords, timeOfDay } from '../app/words.js';
import { html, useApp, useState } from './html.js';
import { Icon } from './icons.js';
import { Avatar, IconButton } from './parts.js';
import { RichText } from './rich-text.js';

const EMOJI_ALONE = /^(?:\s*\p{RGI_Emoji}){1,3}\s*$/v;

/**
 * @param {{conversation: object, row: import('../app/conversation.js').Row, first: boolean, marks?: [number, number][],
 *   current?: boolean}} props  `first` of a breath; `marks`: what was searched for; `current`: the match one looks at
 */
export function MessageRow({ conversation, row, first, marks, current }) {
  const app = useApp();
  const [asked, setAsked] = useState(false);
  const { state, seq, sender_id: senderId } = row;
  const mine = senderId === app.hereabouts.user.id;
  const name = senderId ? app.people.name(senderId) : 'Somebody who left';
  const openMenu = ({ currentTarget }) => {
    const { right, top } = currentTarget.getBoundingClientRect();
    const person = app.people.get(senderId);
    if (person) app.set({ menu: { person, x: right, y: top } });
  };

  if (state === 'deleted') {
    return html`<li class="message deleted" data-testid="message" data-state="deleted" data-seq=${seq}><p>Message deleted</p></li>`;
  }
  // In private it was opened to be read.
  if (!asked && !marks && conversation.kind !== 'private' && app.people.blocked.has(senderId)) {
    return html`
      <li class="message folded" data-testid="message" data-state="blocked" data-seq=${seq}>
        <p>From somebody you blocked <button type="button" class="link" onClick=${() => setAsked(true)}>Show</button></p>
      </li>`;
  }
  return html`
    <li class="message ${mine ? 'mine' : ''} ${first ? 'first' : ''} ${state} ${current ? 'current' : ''}" data-testid="message" data-state=${state} data-seq=${seq}>
      ${!mine && first && html`
        <button type="button" class="face" aria-label="About ${name}" onClick=${openMenu}><${Avatar} id=${senderId ?? ''} name=${name} size="small" /></button>`}
      <div class="said">
        ${first && !mine && html`<b class="who">${name}</b>`}
        <div class="bubble">
          <p class="content ${EMOJI_ALONE.test(row.content) ? 'huge' : ''}"><${RichText} text=${row.content} marks=${marks} /></p>
          <span class="about">
            <time datetime=${row.created_at}>${timeOfDay(row.created_at)}</time>
            ${mine && html`<${Progress} conversation=${conversation} row=${row} />`}
          </span>
        </div>
        ${state === 'failed' && html`<${Failure} conversation=${conversation} row=${row} />`}
      </div>
      ${mine && state === 'sent' && conversation.kind !== 'nearby' && html`
        <${IconButton} icon="bin" size=${16} class="delete" label="Delete this message" data-testid="delete-message"
          onClick=${() => app.set({ dialog: { kind: 'delete-message', conversation, row } })} />`}
    </li>`;
}

function Progress({ conversation, row: { state, seq } }) {
  const { chat } = useApp().hereabouts;
  if (state === 'sending') return html`<${Sign} icon="clock" label=${chat.state === 'open' ? 'Sending' : 'Waiting for the connection'} />`;
  if (state === 'failed') return html`<${Sign} icon="alert" label="Not sent" />`;
  const reading = conversation.kind === 'private' ? conversation.readingOf(seq) : 'unread';
  if (reading === 'unknown') return null; // one tick would say that it was not read
  const read = reading === 'read';
  const label = read ? 'Read' : 'Sent';
  return html`
    <span class="ticks ${read ? 'read' : ''}" role="img" aria-label=${label} title=${label} data-read=${read ? 'true' : 'false'}>
      <${Icon} name=${read ? 'checks' : 'check'} size=${15} />
    </span>`;
}

function Sign({ icon, label }) {
  return html`<span role="img" aria-label=${label} title=${label}><${Icon} name=${icon} size=${14} /></span>`;
}

function Failure({ conversation, row }) {
  const app = useApp();
  return html`
    <p class="failure" role="alert">
      Not sent. ${row.error.code === 'forbidden' ? 'This person cannot be written to.' : inWords(row.error)}
      ${' '}<button type="button" class="link" onClick=${() => app.hereabouts.chat.retry(row.client_id)}>Send again</button>
      ${' '}<button type="button" class="link" onClick=${() => app.conversations.discard(conversation, row.client_id)}>Discard</button>
    </p>`;
}
