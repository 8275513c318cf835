// Which dialog is open, and the short ones: deleting a message, claiming and
// changing a land. Groups and settings have files of their own.

import { legible } from '../app/names.js';
import { inWords } from '../app/words.js';
import { DevicesDialog } from './device-choice.js';
import { ConfirmDialog, Dialog } from './dialog.js';
import { GroupDialog, NewGroupDialog } from './group-dialogs.js';
import { GuestList } from './guest-list.js';
import { html, useApp, useEffect, useState } from './html.js';
import { LandsDialog } from './lands-near.js';
import { Field } from './parts.js';
import { SettingsDialog } from './settings.js';
import { WorldDialog } from './world-dialog.js';

const KINDS = {
  claim: ClaimDialog,
  land: LandDialog,
  'delete-message': DeleteMessageDialog,
  'new-group': NewGroupDialog,
  group: GroupDialog,
  devices: DevicesDialog,
  settings: SettingsDialog,
  lands: LandsDialog,
  world: WorldDialog,
};

export function Dialogs() {
  const app = useApp();
  if (!app.dialog) return null;
  const { kind, ...props } = app.dialog;
  return html`<${KINDS[kind]} key=${kind} ...${props} onClose=${() => app.set({ dialog: null })} />`;
}

function DeleteMessageDialog({ conversation, row, onClose }) {
  const app = useApp();
  const remove = async () => {
    onClose();
    await app.attempt(() => app.conversations.deleteMessage(conversation, row));
  };
  return html`
    <${ConfirmDialog} title="Delete this message?" text="It disappears for everybody, and cannot be brought back."
      action="Delete" onConfirm=${remove} onClose=${onClose} />`;
}

function ClaimDialog({ rect, onClose }) {
  const app = useApp();
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  async function submit(event) {
    event.preventDefault();
    const { name, access, ...numbers } = Object.fromEntries(new FormData(event.currentTarget));
    const area = Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, Number(value)]));
    if (!name.trim()) return setError({ name: 'Give it a name' });
    setBusy(true);
    try {
      await app.lands.claim({ name: name.trim(), access: access ? 'invited' : 'open', ...area });
      app.notice(`${legible(name, 'The land')} is yours`);
      onClose();
    } catch (refused) {
      if (!refused.code) throw refused;
      setBusy(false);
      setError({ form: refused.code === 'conflict' ? 'That overlaps another land. Move or shrink it.' : inWords(refused) });
    }
  }
  return html`
    <${Dialog} title="Claim this land" onClose=${onClose}>
      <form onSubmit=${submit} novalidate>
        <${Field} id="land-name" name="name" label="Name" maxlength="64" placeholder="Harbour Green" data-first error=${error?.name} data-testid="land-name" />
        <div class="quad">
          ${['x', 'y', 'width', 'height'].map((key) => html`
            <${Field} key=${key} id="land-${key}" name=${key} type="number" step="any" defaultValue=${rect[key]} data-testid="land-${key}"
              label=${{ x: 'West edge', y: 'North edge', width: 'Width', height: 'Height' }[key]} />`)}
        </div>
        <label class="check"><input type="checkbox" name="access" /> By invitation only</label>
        <p class="form-error" role="alert">${error?.form}</p>
        <footer>
          <button type="button" class="button quiet" onClick=${onClose}>Cancel</button>
          <button class="button primary" data-testid="land-submit" disabled=${busy}>Claim</button>
        </footer>
      </form>
    <//>`;
}

function LandDialog({ land, onClose }) {
  const app = useApp();
  const [removing, setRemoving] = useState(false);
  const [invited, setInvited] = useState(land.access === 'invited');
  const [guests, setGuests] = useState(null);
  useEffect(() => {
    // Asked for anew: the list may have been changed on another device since the map saw the land.
    app.attempt(async () => setGuests((await app.hereabouts.api.land(land.id)).invited_ids));
  }, []);
  async function save(event) {
    event.preventDefault();
    const name = new FormData(event.currentTarget).get('name').trim();
    const changes = { name, access: invited ? 'invited' : 'open', invited_ids: guests ?? undefined };
    if (await app.attempt(() => app.lands.update(land.id, changes))) onClose();
  }
  const remove = async () => {
    if (await app.attempt(() => app.lands.remove(land.id))) onClose();
  };
  if (removing) {
    return html`
      <${ConfirmDialog} title="Give up ${land.title}?" text="Its conversation ends and can never be read again."
        action="Give it up" onConfirm=${remove} onClose=${onClose} />`;
  }
  return html`
    <${Dialog} title="Your land" onClose=${onClose}>
      <form onSubmit=${save} novalidate>
        <${Field} id="land-name" name="name" label="Name" maxlength="64" defaultValue=${land.name} data-testid="land-name" />
        <label class="check">
          <input type="checkbox" checked=${invited} onChange=${({ target }) => setInvited(target.checked)} data-testid="land-invited" /> By invitation only
        </label>
        ${invited && guests && html`<${GuestList} guests=${guests} onChange=${setGuests} />`}
        <footer>
          <button type="button" class="button quiet danger" onClick=${() => setRemoving(true)}>Give it up</button>
          <button class="button primary" data-testid="land-save">Save</button>
        </footer>
      </form>
    <//>`;
}
