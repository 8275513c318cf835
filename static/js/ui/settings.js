// Settings: how one appears, who is blocked, the password, and the ways out.

import { inWords } from '../app/words.js';
import { DeviceChoice } from './device-choice.js';
import { Dialog } from './dialog.js';
import { html, useApp, useEffect, useState } from './html.js';
import { Icon } from './icons.js';
import { NotificationSettings } from './notification-settings.js';
import { Avatar, Field, Switch } from './parts.js';

export function SettingsDialog({ onClose }) {
  const app = useApp();
  const { auth, user } = app.hereabouts;
  const logOut = () => app.attempt(() => auth.logout());
  // Signing out takes this dialog's user away before the page has drawn itself anew.
  if (!user) return null;
  return html`
    <${Dialog} title="Settings" onClose=${onClose} class="settings">
      <${Profile} />
      <${Appearance} />
      <${Calls} />
      <${NotificationSettings} />
      <${Blocked} />
      <${Password} />
      <section>
        <h3>Leaving</h3>
        <button type="button" class="button wide" data-testid="logout" onClick=${logOut}><${Icon} name="exit" size=${18} />Log out</button>
        <${DeleteAccount} />
      </section>
    <//>`;
}

function Profile() {
  const app = useApp();
  const { user } = app.hereabouts;
  const [error, setError] = useState(null);
  async function save(event) {
    event.preventDefault();
    const name = new FormData(event.currentTarget).get('display_name').trim();
    setError(null);
    try {
      await change(app, { display_name: name });
      app.notice('Your name is changed');
    } catch (refused) {
      if (!refused.code) throw refused;
      setError(inWords(refused));
    }
  }
  return html`
    <section>
      <div class="profile"><${Avatar} id=${user.id} name=${app.people.name(user.id)} size="large" /><span>@${user.username}</span></div>
      <form class="inline" onSubmit=${save} novalidate>
        <${Field} id="display-name" name="display_name" label="Name that others see" defaultValue=${user.display_name} maxlength="64"
          error=${error} data-testid="settings-display-name" />
        <button class="button" data-testid="settings-save-name">Save</button>
      </form>
    </section>`;
}

function Appearance() {
  const app = useApp();
  const { user } = app.hereabouts;
  const [wanted, want] = useState({}); // by key, what was switched and has no answer yet
  const flip = (key) => async ({ currentTarget: { checked } }) => {
    const mine = { checked };
    want((all) => ({ ...all, [key]: mine }));
    await app.attempt(() => change(app, { [key]: checked }));
    want((all) => (all[key] === mine ? { ...all, [key]: undefined } : all));
  };
  const shown = (key) => wanted[key]?.checked ?? user[key];
  return html`
    <section>
      <h3>Being seen</h3>
      <${Switch} id="share-location" label="Share my location" hint="Off: you see others on the map, nobody sees you there"
        checked=${shown('share_location') ?? true} onChange=${flip('share_location')} />
      <${Switch} id="invisible" label="Invisible" hint="You appear in no list, and to everybody as offline"
        checked=${shown('invisible') ?? false} onChange=${flip('invisible')} />
    </section>`;
}

function Calls() {
  const app = useApp();
  const { signal } = app.hereabouts;
  const [relay, setRelay] = useState(null); // whether the server has one, once that is known
  useEffect(() => {
    app.attempt(async () => setRelay(await signal.hasRelay()));
  }, []);
  return html`
    <section>
      <h3>Calls</h3>
      <${DeviceChoice} />
      <${Switch} id="hide-address" label="Hide my address" hint="Calls and voice go through a relay: those you talk to do not learn your IP address. From the next one on, in this browser"
        checked=${signal.relayOnly} onChange=${({ target }) => app.hideAddress(target.checked)} />
      ${signal.relayOnly && relay === false && html`
        <p class="warning" role="status" data-testid="no-relay">This server has no relay (TURN). While your address is hidden, you can neither call nor answer, nor talk to those near.</p>`}
    </section>`;
}

function Blocked() {
  const app = useApp();
  const ids = [...app.people.blocked];
  if (!ids.length) return null;
  return html`
    <section>
      <h3>Blocked</h3>
      <ul class="rows">
        ${ids.map((id) => html`
          <li key=${id} class="row">
            <${Avatar} id=${id} name=${app.people.name(id)} size="small" />
            <span class="row-text"><span>${app.people.name(id)}</span></span>
            <button type="button" class="link" onClick=${() => app.attempt(() => app.people.unblock(id))}>Unblock</button>
          </li>`)}
      </ul>
    </section>`;
}

function Password() {
  const app = useApp();
  const [error, setError] = useState({});
  async function save(event) {
    event.preventDefault();
    const form = event.currentTarget;
    const { old, password } = Object.fromEntries(new FormData(form));
    if ([...password].length < 8) return setError({ password: 'Use at least 8 characters' });
    try {
      await app.hereabouts.api.changePassword(old, password);
      form.reset();
      setError({});
      app.notice('Your password is changed; other logins have ended');
    } catch (refused) {
      if (!refused.code) throw refused;
      const wrongOld = ['unauthorized', 'forbidden'].includes(refused.code);
      setError(wrongOld ? { old: 'That is not your password' } : { password: inWords(refused) });
    }
  }
  return html`
    <details>
      <summary data-testid="password-open">Change password</summary>
      <form onSubmit=${save} novalidate>
        <input type="hidden" name="username" autocomplete="username" value=${app.hereabouts.user.username} />
        <${Field} id="old-password" name="old" type="password" label="Password now" autocomplete="current-password" error=${error.old} data-testid="old-password" />
        <${Field} id="new-password" name="password" type="password" label="New password" autocomplete="new-password" error=${error.password} data-testid="new-password" />
        <button class="button" data-testid="password-submit">Change</button>
      </form>
    </details>`;
}

function DeleteAccount() {
  const app = useApp();
  const { auth, user } = app.hereabouts;
  const [typed, setTyped] = useState('');
  async function remove(event) {
    event.preventDefault();
    await app.attempt(() => auth.deleteAccount());
  }
  return html`
    <details class="grave">
      <summary>Delete account</summary>
      <form onSubmit=${remove}>
        <p>Your name and keys are removed for good. What you wrote stays, without a name to it.</p>
        <${Field} id="confirm-name" label="Type your username to go on" value=${typed} autocomplete="off"
          onInput=${({ target }) => setTyped(target.value)} data-testid="delete-confirm" />
        <button class="button danger wide" disabled=${typed !== user.username} data-testid="delete-account">Delete my account</button>
      </form>
    </details>`;
}

let changing = Promise.resolve();

/** One after the other: of two changes of the same, the later one holds. */
function change(app, changes) {
  const changed = changing.then(async () => {
    await app.hereabouts.api.updateMe(changes);
    await app.refreshUser();
    app.people.learn(app.hereabouts.user);
    app.emit('changed');
  });
  changing = changed.catch(() => null); // whoever asked for it is told
  return changed;
}
