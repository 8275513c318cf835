// The panel of a call under way: how it stands in words and bars, and the buttons.
// What there is to see is call-stage.js's.

import { duration } from '../app/words.js';
import { canShareScreen } from '../client/index.js';
import { CallStage } from './call-stage.js';
import { html, useApp, useEffect, useRef, useTicks } from './html.js';
import { Icon } from './icons.js';
import { IconButton } from './parts.js';
import { ring } from './tones.js';

const STATES = {
  dialing: 'Getting ready…',
  ringing: 'Ringing…',
  connecting: 'Connecting…',
  active: 'Connected',
  reconnecting: 'Reconnecting…',
};
const QUALITIES = { good: ['Good connection', 3], fair: ['Fair connection', 2], poor: ['Poor connection', 1] };

export function CallPanel({ call }) {
  const app = useApp();
  const name = app.people.name(call.remoteUser.id);
  const panel = useRef(null);
  useEffect(() => (call.state === 'ringing' ? ring('outgoing') : undefined), [call.state]);
  // The button that answered is gone with its card: who pressed it goes on from here.
  useEffect(() => document.activeElement === document.body && panel.current.focus(), []);
  const shows = call.remoteScreenOn ? 'with-screen' : call.remoteCameraOn ? 'with-picture' : '';
  return html`
    <section ref=${panel} class="call-panel ${shows}" aria-label="Call with ${name}" tabindex="-1" data-testid="call-panel" data-state=${call.state}>
      <${CallStage} call=${call} name=${name} panel=${panel} />
      <div class="call-bar">
        <${Standing} call=${call} name=${name} />
        <${Buttons} call=${call} />
      </div>
    </section>`;
}

/** Who it is, for how long and how well. Only what has changed is read out, not the seconds. */
function Standing({ call, name }) {
  useTicks(1000);
  const active = call.state === 'active';
  const quality = active ? call.quality?.quality : undefined;
  const about = quality === 'poor' ? 'Poor connection' : call.screenOn ? 'Sharing your screen' : call.remoteScreenOn ? 'Shares a screen' : '';
  return html`
    <div class="row-text call-standing">
      <b><span>${name}</span>${quality && html`<${Bars} quality=${quality} />`}</b>
      <small>
        ${active ? html`<span role="timer" data-testid="call-duration">${duration(call.seconds)}</span>` : STATES[call.state]}
        ${active && about && html`<span class="call-about ${quality ?? ''}">${about}</span>`}
      </small>
      <span class="spoken" role="status">${STATES[call.state]}${active && about && `. ${about}`}</span>
    </div>`;
}

function Bars({ quality }) {
  const [label, count] = QUALITIES[quality];
  return html`
    <svg class="bars ${quality}" width="18" height="14" viewBox="0 0 18 14" role="img" aria-label=${label} data-testid="call-quality" data-quality=${quality}>
      <title>${label}</title>
      ${[1, 2, 3].map((bar) => html`<rect key=${bar} class=${bar <= count && 'on'} x=${6 * bar - 5} y=${13 - 4 * bar} width="4" height=${4 * bar} rx="1.5" />`)}
    </svg>`;
}

function Buttons({ call }) {
  const app = useApp();
  return html`
    <div class="call-buttons" role="group" aria-label="Call">
      <${IconButton} icon="mic" size=${22} struck=${!call.microphoneOn} label=${call.microphoneOn ? 'Mute' : 'Unmute'} class=${call.microphoneOn ? '' : 'off'}
        aria-pressed=${call.microphoneOn ? 'false' : 'true'} data-testid="call-mute" onClick=${() => call.setMicrophone(!call.microphoneOn)} />
      <${IconButton} icon="video" size=${22} struck=${!call.cameraOn} label=${call.cameraOn ? 'Camera off' : 'Camera on'}
        aria-pressed=${call.cameraOn ? 'true' : 'false'} data-testid="call-camera" onClick=${() => app.attempt(() => call.setCamera(!call.cameraOn))} />
      ${canShareScreen && html`
        <${IconButton} icon="screen" size=${22} label=${call.screenOn ? 'Stop sharing' : 'Share your screen'} class="call-share ${call.screenOn ? 'sharing' : ''}"
          aria-pressed=${call.screenOn ? 'true' : 'false'} data-testid="call-screen" onClick=${() => app.attempt(() => call.setScreen(!call.screenOn))} />`}
      <${IconButton} icon="settings" size=${22} label="Microphone, camera, speaker" class="call-devices" aria-haspopup="dialog" data-testid="call-devices"
        onClick=${() => app.set({ dialog: { kind: 'devices' } })} />
      <button type="button" class="round reject" aria-label="Hang up" title="Hang up" data-testid="call-hangup" onClick=${() => call.hangUp()}>
        <${Icon} name="hangup" size=${22} />
      </button>
    </div>`;
}
