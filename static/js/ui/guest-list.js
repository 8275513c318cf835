// Who may enter a land that is by invitation: the owner adds guests by username
// and takes them off again. Nothing is sent here; the land's dialog saves it.

import { inWords } from '../app/words.js';
import { html, useApp, useRef, useState } from './html.js';
import { Avatar } from './parts.js';

/** @param {{guests: string[], onChange: (guests: string[]) => void}} props  ids of users */
export function GuestList({ guests, onChange }) {
  const app = useApp();
  const field = useRef(null);
  const [error, setError] = useState(null);

  async function invite() {
    const username = field.current.value.trim();
    if (!username) return;
    try {
      const { id } = await app.people.find(username);
      if (id === app.hereabouts.user.id) return setError('You may always enter your own land');
      if (guests.includes(id)) return setError(`${app.people.name(id)} is invited already`);
      onChange([...guests, id]);
      setError(null);
      field.current.value = '';
    } catch (refused) {
      if (!refused.code) throw refused;
      setError(refused.code === 'not_found' ? `Nobody goes by “${username}”` : inWords(refused));
    }
  }
  function remove(id) {
    onChange(guests.filter((guest) => guest !== id));
    field.current.focus(); // the button that had the focus is gone
  }
  function onKeyDown(event) {
    if (event.key !== 'Enter') return;
    event.preventDefault(); // Enter would save the land
    invite();
  }
  return html`
    <fieldset class="pick" data-testid="guest-list">
      <legend>Guests</legend>
      <div class="invite">
        <input class="pick-find" ref=${field} aria-label="Invite somebody by username" aria-invalid=${error ? 'true' : 'false'}
          aria-describedby="guest-error" placeholder="Username" autocomplete="off" autocapitalize="none"
          data-testid="guest-name" onKeyDown=${onKeyDown} />
        <button type="button" class="button" data-testid="guest-add" onClick=${invite}>Invite</button>
      </div>
      <p id="guest-error" class="form-error" role="alert">${error}</p>
      <ul class="rows faces-list">
        ${guests.map((id) => html`
          <li key=${id} class="row" data-testid="guest" data-username=${app.people.get(id)?.username}>
            <${Avatar} id=${id} name=${app.people.name(id)} size="small" />
            <span class="row-text"><span>${app.people.name(id)}</span></span>
            <button type="button" class="link" aria-label="Take ${app.people.name(id)} off the list"
              data-testid="guest-remove" onClick=${() => remove(id)}>Remove</button>
          </li>`)}
      </ul>
      ${!guests.length && html`<p class="aside">Nobody is invited yet. You alone may join its conversation.</p>`}
    </fieldset>`;
}
