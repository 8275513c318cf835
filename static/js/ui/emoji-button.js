// The door to the emoji in the line being written. What is behind it is loaded when it is first opened.

import { html, useApp, useEffect, useRef, useState } from './html.js';
import { IconButton } from './parts.js';

/** @param {{onPick: (emoji: string) => void, onClose: () => void}} props  `onClose`: closed without picking */
export function EmojiButton({ onPick, onClose }) {
  const app = useApp();
  const [Picker, setPicker] = useState(null);
  const around = useRef(null);
  const isOpen = Picker !== null;
  useEffect(() => {
    if (!isOpen) return undefined;
    const elsewhere = ({ target }) => around.current.contains(target) || setPicker(null);
    document.addEventListener('pointerdown', elsewhere);
    return () => document.removeEventListener('pointerdown', elsewhere);
  }, [isOpen]);

  async function toggle() {
    if (isOpen) return setPicker(null);
    try {
      const { EmojiPicker } = await import('./emoji-picker.js');
      setPicker(() => EmojiPicker);
    } catch (error) {
      app.notice('The emoji could not be loaded. Try again in a moment.', 'error');
      console.info('not loaded:', error.message);
    }
  }

  function pick(emoji) {
    setPicker(null);
    onPick(emoji);
  }

  function close() {
    setPicker(null);
    onClose();
  }

  return html`
    <span class="emoji-button" ref=${around}>
      <${IconButton} icon="smile" label="Emoji" data-testid="emoji-open" aria-haspopup="dialog" aria-expanded=${isOpen ? 'true' : 'false'} onClick=${toggle} />
      ${isOpen && html`<${Picker} onPick=${pick} onClose=${close} />`}
    </span>`;
}
