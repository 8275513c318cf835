// Beside somebody's name: whether they are on the voice in earshot, talk, or are muted.

import { voiceOf } from '../app/voice-in-earshot.js';
import { html, useApp } from './html.js';
import { Icon } from './icons.js';

const LABELS = { heard: 'hears you', talking: 'talking', muted: 'muted' };

/** @param {{userId: string}} props */
export function VoiceMark({ userId }) {
  const mark = voiceOf(useApp().hereabouts.voice, userId);
  return mark && html`
    <span class="voice-mark ${mark}" role="img" aria-label=${LABELS[mark]} title=${LABELS[mark]} data-testid="voice-mark" data-voice=${mark}>
      <${Icon} name=${mark === 'talking' ? 'voice' : 'mic'} struck=${mark === 'muted'} size=${18} />
    </span>`;
}
