// Starts the demo page.

import { App } from './app/app.js';
import { html, render } from './ui/html.js';
import { Root } from './ui/root.js';

const app = new App();
// For the browser's console and for tests: the client library's object, as the page uses it, and the page's own.
globalThis.hereabouts = app.hereabouts;
globalThis.hereaboutsApp = app;

render(html`<${Root} app=${app} />`, document.getElementById('root'));
app.start();
