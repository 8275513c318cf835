// What there is to see of a call: the other side's screen, picture or face, and in
// a corner what is small; and the sound, which has no place.

import { followSpeaker } from '../client/index.js';
import { html, useApp, useEffect, useRef, useState } from './html.js';
import { Avatar, IconButton } from './parts.js';

const CORNERS = ['bottom right', 'bottom left', 'top right']; // in the fourth is the button for full screen

/** @param {{call: import('../client/index.js').Call, name: string, panel: {current: HTMLElement}}} props */
export function CallStage({ call, name, panel }) {
  const [corner, setCorner] = useState(0);
  const { id } = call.remoteUser;
  const { remoteScreenOn: screen, remoteCameraOn: camera } = call;
  const small = [screen && camera && 'remote', call.cameraOn && 'self', call.screenOn && 'screen'].filter(Boolean);
  const place = (which) => (small.includes(which) ? `inset slot-${small.indexOf(which)}` : '');
  return html`
    <div class="call-stage" data-corner=${CORNERS[corner]}>
      <${Sound} stream=${call.remoteStream} />
      ${screen && html`<${Picture} stream=${call.remoteScreen} testid="remote-screen" label="Screen of ${name}" />`}
      ${camera && html`<${Picture} stream=${call.remoteStream} testid="remote-video" label="Picture of ${name}" class=${place('remote')} />`}
      ${!screen && !camera && html`
        <div class="call-face"><span class=${call.state === 'active' ? '' : 'ringing'}><${Avatar} id=${id} name=${name} size="huge" /></span></div>`}
      ${call.cameraOn && html`<${Picture} stream=${call.localStream} testid="self-video" label="Picture of yourself" class=${place('self')} />`}
      ${call.screenOn && html`<${Picture} stream=${call.localScreen} testid="own-screen" label="The screen that you share" class=${place('screen')} />`}
      ${small.length > 0 && html`
        <button type="button" class="inset slot-0 move" aria-label="Move the small picture" title="Move" data-testid="call-move"
          onClick=${() => setCorner((corner + 1) % CORNERS.length)}></button>`}
      ${(screen || camera) && document.fullscreenEnabled && html`
        <${IconButton} icon="expand" label="Full screen" class="call-expand" data-testid="call-expand" onClick=${() => flipFullScreen(panel.current)} />`}
    </div>`;
}

function flipFullScreen(element) {
  return document.fullscreenElement ? document.exitFullscreen() : element.requestFullscreen();
}

function Picture({ stream, testid, label, class: className = '' }) {
  const element = useRef(null);
  useEffect(() => {
    element.current.muted = true; // the sound has an element of its own
    play(element.current, stream);
  }, [stream]);
  return html`<video ref=${element} class="${testid} ${className}" data-testid=${testid} aria-label=${label} autoplay playsinline></video>`;
}

function Sound({ stream }) {
  const app = useApp();
  const element = useRef(null);
  useEffect(() => {
    const begin = () => play(element.current, stream, () => {
      app.notice('Click anywhere to hear the call');
      addEventListener('pointerdown', begin, { once: true });
    });
    begin();
    return () => removeEventListener('pointerdown', begin);
  }, [stream]);
  useEffect(() => followSpeaker(element.current), []);
  return html`<audio ref=${element} data-testid="remote-sound" autoplay></audio>`;
}

function play(element, stream, refused) {
  element.srcObject = stream;
  element.play().catch((error) => {
    // Taken off the page before it began: nothing to tell. Not allowed to play: the user should know.
    if (error.name === 'NotAllowedError' && refused) refused();
    else if (error.name !== 'AbortError') throw error;
  });
}
