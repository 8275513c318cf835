// The switch of the voice in earshot, over the map: who hears one, and one's microphone beside it.

import { voiceInWords } from '../app/voice-in-earshot.js';
import { hasOwnUseForKeys } from '../map/input.js';
import { html, useApp, useEffect } from './html.js';
import { Icon } from './icons.js';
import { IconButton } from './parts.js';

const MUTE_KEY = 'm';

export function VoiceBar() {
  const app = useApp();
  const { voice } = app.hereabouts;
  const { state, muted } = voice;
  useEffect(() => {
    const press = (event) => {
      if (event.key.toLowerCase() !== MUTE_KEY || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      if (!hasOwnUseForKeys(event.target)) voice.setMuted(!voice.muted);
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, [voice]);
  const silenced = state === 'on' && !voice.audible;
  const speaks = voice.talking.has(app.hereabouts.user.id);
  return html`
    <section class="voice ${voice.error ? 'failed' : ''}" aria-label="Voice" data-testid="voice" data-state=${state}>
      ${state === 'on'
        ? html`<${IconButton} icon="mic" struck=${muted} label="${muted ? 'Unmute' : 'Mute'} (M)" class=${speaks ? 'speaking' : ''} data-testid="voice-mute"
            aria-pressed=${muted ? 'true' : 'false'} aria-keyshortcuts=${MUTE_KEY} onClick=${() => voice.setMuted(!muted)} />`
        : html`<span class="voice-icon"><${Icon} name="voice" /></span>`}
      <div class="voice-text">
        <label for="voice-switch"><b id="voice-label">Talk to those near</b></label>
        <small id="voice-state" role="status" data-testid="voice-state">${silenced ? '' : voiceInWords(app.hereabouts)}</small>
        ${silenced && html`<button type="button" class="link" data-testid="voice-resume" onClick=${() => voice.resume()}>Turn the sound on</button>`}
      </div>
      <input type="checkbox" role="switch" id="voice-switch" data-testid="voice-switch" aria-labelledby="voice-label" aria-describedby="voice-state"
        checked=${state !== 'off'} onChange=${() => (state === 'off' ? voice.join() : voice.leave())} />
    </section>`;
}
