// The list at the side (on a phone: at the top) of what the page holds.

import { html } from '../vendor/htm-3.1.1/preact/standalone.module.js';
import { anchor, messagesOf } from './asyncapi.js';

export function Contents({ openapi, asyncapi }) {
  return html`
    <p class="brand"><a class="wordmark" href="/">Hereabouts</a> <span>API</span></p>
    <ul class="contents-list">
      <li><a href="#start">Start</a></li>
      <li>
        <a href="#rest">REST</a>
        <ul>${openapi.tags.map(({ name }) => html`<li key=${name}><a href="#operations-tag-${name}">${name}</a></li>`)}</ul>
      </li>
      <li><a href="#sockets">Sockets</a></li>
      ${Object.entries(asyncapi.channels).map(([id, channel]) => html`
        <li key=${id}>
          <a href="#${id}">${channel.title}</a>
          <${Messages} document=${asyncapi} channel=${id} from="client" label="Client sends" />
          <${Messages} document=${asyncapi} channel=${id} from="server" label="Server sends" />
        </li>`)}
    </ul>`;
}

function Messages({ document, channel, from, label }) {
  return html`
    <p class="from ${from}">${label}</p>
    <ul>${messagesOf(document, channel, from).map(({ key, name }) => html`
      <li key=${key}><a href="#${anchor(channel, key)}"><code>${name}</code></a></li>`)}
    </ul>`;
}
