// A call as it is seen: the ringing card here, the panel in call-panel.js.

import { CallPanel } from './call-panel.js';
import { html, useApp, useEffect, useRef } from './html.js';
import { Icon } from './icons.js';
import { Avatar } from './parts.js';
import { ring } from './tones.js';

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
  useEffect(() => {
    // Whoever is typing must not answer with the next space.
    if (!document.activeElement.matches('input, textarea')) accept.current.focus();
  }, []);
  return html`
    <div class="incoming" role="alertdialog" aria-label="${name} is calling" data-testid="incoming-call">
      <span class="ringing"><${Avatar} id=${id} name=${name} size="large" /></span>
      <div class="row-text" role="alert"><b>${name}</b><small>${call.type === 'video' ? 'Video call' : 'Call'}</small></div>
      <button type="button" class="round reject" aria-label="Decline" title="Decline" data-testid="call-reject" onClick=${() => call.reject()}>
        <${Icon} name="hangup" size=${24} />
      </button>
      <button type="button" ref=${accept} class="round accept" aria-label="Answer" title="Answer" data-testid="call-accept" onClick=${() => call.accept()}>
        <${Icon} name=${call.type === 'video' ? 'video' : 'phone'} size=${24} />
      </button>
    </div>`;
}
