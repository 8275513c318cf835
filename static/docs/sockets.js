// The two sockets: how to connect, what may go wrong, and each message with its fields and an example.

import { html } from '../vendor/htm-3.1.1/preact/standalone.module.js';
import { anchor, answersOf, fieldsOf, messagesOf, operationOf } from './asyncapi.js';
import { Markup } from './markup.js';

export function Sockets({ document }) {
  const { description } = document.components.securitySchemes.bearer;
  return html`
    <section>
      <h2>Sockets</h2>
      <${Markup} text=${document.info.description} />
      <h3>Signing in</h3>
      <${Markup} text=${description} />
    </section>
    ${Object.entries(document.channels).map(([id, channel]) => html`
      <${Socket} key=${id} id=${id} document=${document} channel=${channel} />`)}`;
}

function Socket({ id, document, channel }) {
  const { protocol, host, pathname } = document.servers.here;
  return html`
    <section id=${id} class="socket" data-testid="socket-${id}">
      <h2>${channel.title}</h2>
      <p class="address"><code>${protocol}://${host}${pathname}${channel.address}</code></p>
      <p class="lead">${channel.summary}</p>
      <details class="plain"><summary>Opening, errors and closes</summary><${Markup} text=${channel.description} /></details>
      <h3 class="from client">Client sends</h3>
      ${messagesOf(document, id, 'client').map((message) => html`
        <${Message} key=${message.key} document=${document} channel=${id} message=${message} from="client" />`)}
      <h3 class="from server">Server sends</h3>
      ${messagesOf(document, id, 'server').map((message) => html`
        <${Message} key=${message.key} document=${document} channel=${id} message=${message} from="server" />`)}
    </section>`;
}

function Message({ document, channel, message, from }) {
  const operation = operationOf(document, channel, message.key);
  const fields = fieldsOf(document, message.payload);
  return html`
    <details class="message ${from}" id=${anchor(channel, message.key)} data-testid="message">
      <summary><code>${message.name}</code> <span><${Markup} text=${message.summary} inline /></span></summary>
      <div class="message-body">
        ${operation && html`<${Answers} channel=${channel} operation=${operation} />`}
        ${fields.length > 0 && html`<${Fields} fields=${fields} />`}
        <h4>Example</h4>
        <pre tabindex="0">${JSON.stringify(message.examples[0].payload, null, 2)}</pre>
        ${operation && html`<${Markup} text=${operation.description} />`}
      </div>
    </details>`;
}

function Answers({ channel, operation }) {
  const answers = answersOf(operation);
  return html`
    <p class="answers">${answers.length ? 'Answered by ' : 'Not answered, unless something is wrong with it.'}
      ${answers.map((key, index) => html`
        ${index > 0 && ', '}<a href="#${anchor(channel, key)}"><code>${key.replace('server.', '')}</code></a>`)}
    </p>`;
}

function Fields({ fields }) {
  return html`
    <table class="fields">
      <thead><tr><th>Field</th><th>Value</th></tr></thead>
      <tbody>${fields.map((field, index) => html`
        <tr key=${index} class="depth-${Math.min(field.depth, 3)}">
          <th scope="row"><code>${field.name}</code>${!field.required && html` <small>optional</small>`}</th>
          <td>
            <span class="type">${field.type}</span>
            ${field.description && html` <span><${Markup} text=${field.description} inline /></span>`}
            ${field.limits.length > 0 && html`<small class="limits">${field.limits.join(' · ')}</small>`}
          </td>
        </tr>`)}
      </tbody>
    </table>`;
}
