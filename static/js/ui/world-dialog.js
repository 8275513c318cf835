// Going over into another world: those this browser has been in, or one by its name.

import { MAIN_WORLD } from '../app/world.js';
import { Dialog } from './dialog.js';
import { html, useApp, useState } from './html.js';
import { Icon } from './icons.js';
import { Field } from './parts.js';

const NAME = /^[A-Za-z0-9_.-]{1,64}$/;

export function WorldDialog({ onClose }) {
  const app = useApp();
  const [error, setError] = useState(null);
  const { world } = app;
  const others = [...new Set([MAIN_WORLD, ...world.visited])].filter((id) => id !== world.id);
  const go = (id) => {
    onClose();
    world.enter(id);
    app.notice(id === MAIN_WORLD ? 'Back in the main world' : `Welcome to ${id}`);
  };
  const submit = (event) => {
    event.preventDefault();
    const id = new FormData(event.currentTarget).get('world').trim();
    if (!NAME.test(id)) setError('Use 1 to 64 letters, digits, _ - or .');
    else go(id);
  };
  return html`
    <${Dialog} title="Worlds" onClose=${onClose} class="narrow">
      <p class="aside-text">You are in <b>${world.id}</b>. Each world has people and lands of its own; a new name makes a new one.</p>
      ${others.length > 0 && html`
        <ul class="rows worlds">
          ${others.map((id) => html`
            <li key=${id}>
              <button type="button" class="row" data-testid="world-visited" data-id=${id} onClick=${() => go(id)}>
                <span class="avatar place" aria-hidden="true"><${Icon} name="globe" size=${18} /></span>
                <span class="row-text"><b>${id}</b></span><span class="go">Go there</span>
              </button>
            </li>`)}
        </ul>`}
      <form onSubmit=${submit} novalidate>
        <${Field} id="world-name" name="world" label="Another world" maxlength="64" placeholder="moonbase" data-first autocapitalize="none"
          autocomplete="off" spellcheck=${false} error=${error} data-testid="world-name" />
        <footer>
          <button type="button" class="button quiet" onClick=${onClose}>Stay here</button>
          <button class="button primary" data-testid="world-go">Go there</button>
        </footer>
      </form>
    <//>`;
}
