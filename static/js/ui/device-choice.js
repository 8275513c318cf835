// Which microphone, camera and speaker to use: in the settings, and in a dialog of
// its own during a call.

import { devices, openMedia } from '../client/index.js';
import { Dialog } from './dialog.js';
import { html, useApp, useChanges, useEffect } from './html.js';

const KINDS = [
  { kind: 'audioinput', label: 'Microphone', noun: 'microphone' },
  { kind: 'videoinput', label: 'Camera', noun: 'camera' },
  { kind: 'audiooutput', label: 'Speaker', noun: 'speaker' },
];
const canChooseSpeaker = 'setSinkId' in HTMLMediaElement.prototype;

export function DevicesDialog({ onClose }) {
  return html`
    <${Dialog} title="Sound and picture" onClose=${onClose} class="narrow" data-testid="devices">
      <${DeviceChoice} />
    <//>`;
}

export function DeviceChoice() {
  const app = useApp();
  useChanges(devices);
  useEffect(() => { devices.refresh(); }, []);
  const known = KINDS.some(({ kind }) => devices.list(kind).length);
  // A browser tells which there are only to a page that was allowed to use them.
  const ask = () => app.attempt(async () => {
    for (const track of (await openMedia('video')).getTracks()) track.stop();
  });
  if (!known) {
    return html`
      <button type="button" class="button wide" data-testid="show-devices" onClick=${ask}>Choose microphone and camera</button>`;
  }
  return KINDS.filter(({ kind }) => kind !== 'audiooutput' || canChooseSpeaker).map((one) => html`<${Choice} key=${one.kind} ...${one} />`);
}

function Choice({ kind, label, noun }) {
  const used = devices.used(kind);
  return html`
    <div class="field">
      <label for="device-${kind}">${label}</label>
      <select id="device-${kind}" data-testid="device-${kind}" onChange=${({ target }) => devices.choose(kind, target.value)}>
        <option value="" selected=${used === ''}>The system’s ${noun}</option>
        ${devices.list(kind).map(({ deviceId, label: name }) => html`
          <option key=${deviceId} value=${deviceId} selected=${used === deviceId}>${name}</option>`)}
      </select>
    </div>`;
}
