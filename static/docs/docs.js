// Starts the API page: fetches both documents and shows them, each by its own renderer.

import { html, render } from '../vendor/htm-3.1.1/preact/standalone.module.js';
import { Contents } from './contents.js';
import { Opening } from './opening.js';
import { showRest } from './rest.js';
import { Sockets } from './sockets.js';

const [openapi, asyncapi] = await Promise.all([fetchDocument('openapi'), fetchDocument('asyncapi')]);
render(html`<${Contents} openapi=${openapi} asyncapi=${asyncapi} />`, document.getElementById('contents'));
render(html`<${Opening} />`, document.getElementById('start'));
render(html`<${Sockets} document=${asyncapi} />`, document.getElementById('sockets'));
await showRest(openapi, document.getElementById('swagger'));
// Only now is there anything to scroll to.
addEventListener('hashchange', goToHash);
goToHash();

async function fetchDocument(name) {
  const response = await fetch(`/api/${name}.json`);
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  return response.json();
}

/** Opens the message that the address names, and shows it. */
function goToHash() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}
