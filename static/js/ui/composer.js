// The line that is being written. Enter sends, Shift and Enter breaks the line.
// A draft stays with its conversation while one looks elsewhere.

import { html, useApp, useEffect, useRef, useState } from './html.js';
import { IconButton } from './parts.js';

const MOST = 4_000; // characters the server takes, counted as code points
const WARN_AT = 3_800;

export function Composer({ conversation }) {
  const app = useApp();
  const { chat } = app.hereabouts;
  const [text, setText] = useState(conversation.draft);
  const input = useRef(null);
  const length = [...text].length;
  useEffect(() => () => chat.typing(conversation.id, false), []);
  useEffect(() => {
    const { style } = input.current;
    style.height = 'auto';
    style.height = `${input.current.scrollHeight}px`;
  }, [text]);

  function write(value) {
    setText(value);
    conversation.draft = value;
    chat.typing(conversation.id, value.trim() !== '');
  }

  function send(event) {
    event?.preventDefault();
    const content = text.trim();
    if (!content || length > MOST) return;
    chat.send(conversation.id, content);
    chat.typing(conversation.id, false);
    write('');
    input.current.focus();
  }

  function onKeyDown(event) {
    // While an input method composes a character, Enter belongs to it.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
  }

  return html`
    <form class="composer" onSubmit=${send}>
      <textarea ref=${input} rows="1" data-testid="chat-input" aria-label="Message" placeholder=${placeholder(conversation)}
        value=${text} onInput=${({ target }) => write(target.value)} onKeyDown=${onKeyDown}></textarea>
      ${length > WARN_AT && html`<span class="length ${length > MOST ? 'over' : ''}" role="status">${MOST - length}</span>`}
      <${IconButton} icon="send" label="Send" class="send" type="submit" data-testid="chat-send"
        disabled=${!text.trim() || length > MOST} />
    </form>`;
}

function placeholder({ kind, title }) {
  return kind === 'land' ? 'Say something here' : `Write to ${title}`;
}
