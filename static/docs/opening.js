// The first thing that a reader sees: what there is, and the shortest way to a first answer.

import { html } from '../vendor/htm-3.1.1/preact/standalone.module.js';

const api = `${location.origin}/api/v1`;
const socket = `${location.origin.replace('http', 'ws')}/api/v1/ws/connect`;

const CURL = `curl -X POST ${api}/auth/register \\
  -H 'Content-Type: application/json' \\
  -d '{"username": "bob", "password": "correct horse"}'`;

const SCRIPT = `const socket = new WebSocket('${socket}', ['bearer', accessToken]);
const send = (request) => socket.send(JSON.stringify(request));

socket.onmessage = ({ data }) => {
  const event = JSON.parse(data);
  console.log(event);
  if (event.type === 'connected') send({ type: 'update_location', x: 12, y: -3 });
  if (event.land_id) send({ type: 'join_room', room_id: event.land_id });
};`;

export function Opening() {
  return html`
    <h1>Hereabouts API</h1>
    <p class="lead">REST for what is kept, a WebSocket for what happens, and another for calls.</p>
    <p class="ways">
      <a class="button" href="/">Demo client</a>
      <a class="button" href="/api/openapi.json">openapi.json</a>
      <a class="button" href="/api/asyncapi.json">asyncapi.json</a>
    </p>
    <ol class="steps">
      <li><h2>Get a token</h2><pre tabindex="0">${CURL}</pre></li>
      <li><h2>Open the socket with it, walk, and join the land you stand in</h2><pre tabindex="0">${SCRIPT}</pre></li>
    </ol>`;
}
