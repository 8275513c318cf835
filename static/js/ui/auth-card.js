// The way in: one card that registers or signs in, and says what is wrong
// where it is wrong.

import { inWords } from '../app/words.js';
import { Backdrop } from './backdrop.js';
import { html, useApp, useEffect, useRef, useState } from './html.js';
import { loadMap } from './load-map.js';
import { Field } from './parts.js';

const SEEN_KEY = 'hereabouts.has_account';
const NAME = /^[A-Za-z0-9_.-]{3,32}$/;

const PARTINGS = {
  expired: 'You were away for a while. Sign in again.',
  ended: 'This login was ended. Sign in again.',
  banned: 'This account is banned from here.',
  deleted: 'Your account is gone. Farewell!',
};

export function AuthCard() {
  const app = useApp();
  const [mode, setMode] = useState(localStorage.getItem(SEEN_KEY) ? 'login' : 'register');
  const [errors, setErrors] = useState({});
  const [busy, setBusy] = useState(false);
  const form = useRef(null);
  const registering = mode === 'register';
  useEffect(() => form.current.elements.username.focus(), [mode]);
  // While the form is filled in; what fails here is tried again, and told, when the map is needed.
  useEffect(() => { (globalThis.requestIdleCallback ?? setTimeout)(() => loadMap().catch(() => null)); }, []);

  async function submit(event) {
    event.preventDefault();
    const { username, password } = Object.fromEntries(new FormData(form.current));
    const wrong = registering ? check(username, password) : {};
    setErrors(wrong);
    if (Object.keys(wrong).length) return;
    setBusy(true);
    try {
      const { auth } = app.hereabouts;
      await (registering ? auth.register({ username, password }) : auth.login({ username, password }));
      localStorage.setItem(SEEN_KEY, 'yes');
    } catch (error) {
      if (!error.code) throw error;
      setErrors(refusal(error, registering));
      setBusy(false);
    }
  }

  function switchMode() {
    setErrors({});
    setMode(registering ? 'login' : 'register');
  }

  return html`
    <div class="gate">
      <${Backdrop} />
      <main class="gate-card">
        <h1 class="wordmark">Hereabouts</h1>
        <p class="gate-line">Walk about a shared map. Talk to whoever is near.</p>
        ${PARTINGS[app.signedOutReason] && html`<p class="gate-parting" role="status">${PARTINGS[app.signedOutReason]}</p>`}
        <form ref=${form} onSubmit=${submit} novalidate data-testid=${registering ? 'register-form' : 'login-form'}>
          <${Field} id="username" name="username" label="Username" data-testid="username" autocomplete="username"
            autocapitalize="none" spellcheck=${false} maxlength="32" error=${errors.username}
            hint=${registering ? 'Letters, digits, _ - and .' : ''} />
          <${Field} id="password" name="password" type="password" label="Password" data-testid="password"
            autocomplete=${registering ? 'new-password' : 'current-password'} maxlength="256" error=${errors.password}
            hint=${registering ? 'At least 8 characters' : ''} />
          <p class="form-error" role="alert">${errors.form}</p>
          <button class="button primary wide" data-testid="submit" disabled=${busy}>
            ${busy ? 'One moment…' : registering ? 'Step into the world' : 'Sign in'}
          </button>
        </form>
        <p class="gate-switch">
          ${registering ? 'Been here before?' : 'New here?'}
          ${' '}<button type="button" class="link" data-testid="switch-mode" onClick=${switchMode}>
            ${registering ? 'Sign in' : 'Make an account'}
          </button>
        </p>
      </main>
    </div>`;
}

function check(username, password) {
  const wrong = {};
  if (!NAME.test(username)) wrong.username = 'Use 3 to 32 letters, digits, _ - or .';
  if ([...password].length < 8) wrong.password = 'Use at least 8 characters';
  return wrong;
}

function refusal(error, registering) {
  if (error.code === 'conflict') return { username: 'Somebody already goes by that name. Try another.' };
  if (error.code === 'unauthorized') return { password: 'That name and password do not go together.' };
  if (error.code === 'not_found') return { form: 'This server signs people in elsewhere.' };
  if (error.code === 'invalid_message' && !registering) return { password: 'That name and password do not go together.' };
  if (error.code === 'forbidden') return { form: PARTINGS.banned };
  const [, field = 'form'] = /\(field `(username|password)`\)$/.exec(error.message) ?? [];
  return { [field]: inWords(error) };
}
