// A call as it is seen and heard: the ringing card, and the panel with both
// pictures and the buttons.

import { inWords, duration } from '../app/words.js';
import { html, useApp, useEffect, useRef, useTicks } from './html.js';
import { Icon } from './icons.js';
import { Avatar, IconButton } from './parts.js';
import { ring } from './tones.js';

const STATES = {
  dialing: 'Getting ready…',
  ringing: 'Ringing…',
  connecting: 'Connecting…',
  reconnecting: 'Reconnecting…',
};

export function CallViews() {
  const { call } = useApp().hereabouts;
  if (!call) return null;
  const rings = call.direction === 'incoming' && call.state === 'ringing';
  return rings ? html`<${IncomingCall} key=${call} call=${call} />` : html`<${CallPanel} key=${call} call=${call} />`;
}

function IncomingCall({ call }) {
  const app = useApp();
  const { id } = call.remoteUser;
  const name = app.people.name(id);
  const accept = useRef(null);
  useEffect(() => ring('incoming'), []);
  useEffect(() => accept.current.focus(), []);
  return html`
    <div class="incoming" role="alertdialog" aria-label="${name} is calling" data-testid="incoming-call">
      <span class="ringing"><${Avatar} id=${id} name=${name} size="large" /></span>
      <div class="row-text"><b>${name}</b><small>${call.type === 'video' ? 'Video call' : 'Call'}</small></div>
      <button type="button" class="round reject" aria-label="Decline" title="Decline" data-testid="call-reject" onClick=${() => call.reject()}>
        <${Icon} name="hangup" size=${24} />
      </button>
      <button type="button" ref=${accept} class="round accept" aria-label="Answer" title="Answer" data-testid="call-accept" onClick=${() => call.accept()}>
        <${Icon} name=${call.type === 'video' ? 'video' : 'phone'} size=${24} />
      </button>
    </div>`;
}

function CallPanel({ call }) {
  const app = useApp();
  const { id } = call.remoteUser;
  const name = app.people.name(id);
  useTicks(1000);
  useEffect(() => (call.state === 'ringing' ? ring('outgoing') : undefined), [call.state]);
  const picture = call.remoteCameraOn;
  return html`
    <section class="call-panel ${picture ? 'with-picture' : ''}" aria-label="Call with ${name}" data-testid="call-panel" data-state=${call.state}>
      <div class="call-stage">
        <${Video} stream=${call.remoteStream} testid="remote-video" label="Picture of ${name}" />
        ${!picture && html`
          <div class="call-face"><span class=${call.state === 'active' ? '' : 'ringing'}><${Avatar} id=${id} name=${name} size="huge" /></span></div>`}
        <${Video} stream=${call.localStream} testid="self-video" label="Picture of yourself" muted class=${call.cameraOn ? 'shown' : ''} />
      </div>
      <div class="call-bar">
        <div class="row-text">
          <b>${name}</b>
          <small role="status">${call.state === 'active' ? html`<span role="timer" data-testid="call-duration">${duration(call.seconds)}</span>` : STATES[call.state]}</small>
        </div>
        <${IconButton} icon="mic" struck=${!call.microphoneOn} label=${call.microphoneOn ? 'Mute' : 'Unmute'}
          aria-pressed=${call.microphoneOn ? 'false' : 'true'} data-testid="call-mute" onClick=${() => call.setMicrophone(!call.microphoneOn)} />
        <${IconButton} icon="video" struck=${!call.cameraOn} label=${call.cameraOn ? 'Camera off' : 'Camera on'}
          aria-pressed=${call.cameraOn ? 'true' : 'false'} data-testid="call-camera" onClick=${() => app.attempt(() => call.setCamera(!call.cameraOn))} />
        <button type="button" class="round reject" aria-label="Hang up" title="Hang up" data-testid="call-hangup" onClick=${() => call.hangUp()}>
          <${Icon} name="hangup" size=${22} />
        </button>
      </div>
    </section>`;
}

function Video({ stream, testid, label, muted = false, class: className = '' }) {
  const app = useApp();
  const element = useRef(null);
  useEffect(() => {
    element.current.muted = muted;
    element.current.srcObject = stream;
    element.current.play().catch((error) => {
      // Taken off the page before it began: nothing to tell. Not allowed to play: the user should know.
      if (error.name === 'NotAllowedError') app.notice(inWords({ message: 'Click anywhere to hear the call' }));
      else if (error.name !== 'AbortError') throw error;
    });
  }, [stream]);
  return html`<video ref=${element} class="${testid} ${className}" data-testid=${testid} aria-label=${label} autoplay playsinline></video>`;
}
