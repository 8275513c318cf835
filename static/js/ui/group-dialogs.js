// Making a group, and looking after one: its name, its members, leaving it.

import { inWords } from '../app/words.js';
import { Dialog } from './dialog.js';
import { html, useApp, useState } from './html.js';
import { Avatar, Field } from './parts.js';

/** @param {{picked?: string[], onClose: () => void}} props  `picked`: ids of those who are in it to begin with */
export function NewGroupDialog({ picked = [], onClose }) {
  const app = useApp();
  const [error, setError] = useState(null);
  async function create(event) {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const name = data.get('name').trim();
    const members = data.getAll('member');
    if (!name) return setError({ name: 'Give it a name' });
    if (!members.length) return setError({ form: 'Pick at least one person.' });
    try {
      const conversation = await app.conversations.createGroup(members, name);
      app.open(conversation.id);
    } catch (refused) {
      if (!refused.code) throw refused;
      setError({ form: inWords(refused) });
    }
  }
  return html`
    <${Dialog} title="New group" onClose=${onClose} data-testid="new-group-dialog">
      <form onSubmit=${create} novalidate>
        <${Field} id="group-name" name="name" label="Name" maxlength="64" data-first placeholder="Sunday walkers" error=${error?.name} data-testid="group-name" />
        <${PickPeople} picked=${picked} />
        <p class="form-error" role="alert">${error?.form}</p>
        <footer>
          <button type="button" class="button quiet" onClick=${onClose}>Cancel</button>
          <button class="button primary" data-testid="group-submit">Make group</button>
        </footer>
      </form>
    <//>`;
}

/** Everybody one might pick: those around, those online, those one has written with. */
function PickPeople({ picked = [], except = [] }) {
  const app = useApp();
  const [found, setFound] = useState(picked);
  const [unknown, setUnknown] = useState(null);
  const { user } = app.hereabouts;
  const ids = new Set([
    ...found,
    ...app.world.nearby.map(({ id }) => id),
    ...app.people.online.map(({ id }) => id),
    ...app.conversations.list.flatMap(({ others }) => others),
  ]);
  for (const id of [user.id, ...except]) ids.delete(id);

  async function find(event) {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    const username = event.currentTarget.value.trim();
    try {
      const { id } = await app.people.find(username);
      setFound([id, ...found]);
      setUnknown(null);
    } catch (error) {
      if (!error.code) throw error;
      setUnknown(error.code === 'not_found' ? `Nobody goes by “${username}”` : inWords(error));
    }
  }
  return html`
    <fieldset class="pick">
      <legend>People</legend>
      <input class="pick-find" aria-label="Find somebody by username" placeholder="Find by username, then Enter" data-testid="pick-find" onKeyDown=${find} />
      ${unknown && html`<p class="field-error" role="status">${unknown}</p>`}
      <div class="pick-list">
        ${[...ids].map((id) => html`
          <label key=${id} class="row">
            <input type="checkbox" name="member" value=${id} defaultChecked=${picked.includes(id)} data-testid="pick" data-username=${app.people.get(id)?.username} />
            <${Avatar} id=${id} name=${app.people.name(id)} size="small" />
            <span class="row-text"><span>${app.people.name(id)}</span></span>
          </label>`)}
        ${!ids.size && html`<p class="aside">Nobody is around. Find somebody by username.</p>`}
      </div>
    </fieldset>`;
}

export function GroupDialog({ conversation, onClose }) {
  const app = useApp();
  const { api } = app.hereabouts;
  async function save(event) {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const name = data.get('name').trim();
    const added = data.getAll('member');
    const done = await app.attempt(async () => {
      if (name && name !== conversation.name) conversation.update(await api.renameGroup(conversation.id, name));
      if (added.length) await api.addMembers(conversation.id, added);
    });
    if (done) onClose();
  }
  const leave = async () => {
    if (await app.attempt(() => app.conversations.leaveGroup(conversation))) onClose();
  };
  return html`
    <${Dialog} title="Group" onClose=${onClose}>
      <form onSubmit=${save} novalidate>
        <${Field} id="group-name" name="name" label="Name" maxlength="64" defaultValue=${conversation.name ?? ''} data-testid="group-name" />
        <h3 class="group-head">Members<span>${conversation.members.length}</span></h3>
        <ul class="rows faces-list">
          ${conversation.members.map((id) => html`
            <li key=${id} class="row"><${Avatar} id=${id} name=${app.people.name(id)} size="small" /><span class="row-text"><span>${app.people.name(id)}</span></span></li>`)}
        </ul>
        <${PickPeople} except=${conversation.members} />
        <footer>
          <button type="button" class="button quiet danger" data-testid="group-leave" onClick=${leave}>Leave group</button>
          <button class="button primary" data-testid="group-save">Save</button>
        </footer>
      </form>
    <//>`;
}
