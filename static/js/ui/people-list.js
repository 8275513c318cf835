// People: those within earshot, those in sight, and those online elsewhere;
// and finding somebody by name.

import { EARSHOT } from '../app/world.js';
import { inWords, steps } from '../app/words.js';
import { html, useApp, useState } from './html.js';
import { Icon } from './icons.js';
import { Avatar } from './parts.js';
import { VoiceMark } from './voice-mark.js';

const MOST_ROWS = 60; // of those near: nobody reads on, and each walks up and down the list

export function PeopleList() {
  const app = useApp();
  const near = app.world.nearby;
  const nearIds = new Set(near.map(({ id }) => id));
  const elsewhere = app.people.online.filter(({ id }) => !nearIds.has(id));
  const groups = [
    ['Within earshot', near.filter(({ distance }) => distance <= EARSHOT)],
    ['In sight', near.filter(({ distance }) => distance > EARSHOT)],
    ['Elsewhere', elsewhere],
  ].filter(([, people]) => people.length);
  return html`
    <section class="people" aria-label="People" data-testid="people">
      <header class="section-head"><h2>People</h2></header>
      <${FindPerson} />
      ${groups.map(([title, people]) => html`
        <h3 key="${title}-head" class="group-head">${title}<span>${people.length}</span></h3>
        <ul key=${title} class="rows">
          ${people.slice(0, MOST_ROWS).map((person) => html`<${PersonRow} key=${person.id} person=${person} />`)}
        </ul>
        ${people.length > MOST_ROWS && html`<p key="${title}-more" class="aside">And ${people.length - MOST_ROWS} more.</p>`}`)}
      ${!groups.length && html`<p class="aside">Nobody about just now. Open a second window and register a friend.</p>`}
    </section>`;
}

export function PersonRow({ person }) {
  const app = useApp();
  const name = app.people.name(person.id);
  const username = person.username ?? '';
  const where = person.distance === undefined ? `@${username}` : steps(person.distance);
  function openMenu({ currentTarget }) {
    const { right, top } = currentTarget.getBoundingClientRect();
    app.set({ menu: { person, x: right, y: top } });
  }
  return html`
    <li>
      <button type="button" class="row" data-testid="person" data-username=${username} aria-haspopup="menu" onClick=${openMenu}>
        <${Avatar} id=${person.id} name=${name} online=${person.distance !== undefined || person.online} />
        <span class="row-text"><b>${name}</b><small>${where}</small></span>
        <${VoiceMark} userId=${person.id} />
      </button>
    </li>`;
}

function FindPerson() {
  const app = useApp();
  const [found, setFound] = useState(null); // a person, or the error
  async function find(event) {
    event.preventDefault();
    const username = new FormData(event.currentTarget).get('username').trim();
    if (!username) return setFound(null);
    try {
      setFound({ person: await app.people.find(username) });
    } catch (error) {
      if (!error.code) throw error;
      setFound({ error: error.code === 'not_found' ? `Nobody goes by “${username}”` : inWords(error) });
    }
  }
  return html`
    <form class="find" role="search" onSubmit=${find}>
      <${Icon} name="search" size=${16} />
      <input name="username" aria-label="Find somebody by username" placeholder="Find by username" autocomplete="off"
        data-testid="find-person" autocapitalize="none" onInput=${({ target }) => target.value || setFound(null)} />
    </form>
    ${found?.error && html`<p class="aside" role="status">${found.error}</p>`}
    ${found?.person && html`<ul class="rows found"><${PersonRow} person=${found.person} /></ul>`}`;
}
