// The line that is being written. Enter sends, Shift and Enter breaks the line.
// A draft stays with its conversation while one looks elsewhere.

import { EmojiButton } from './emoji-button.js';
import { html, useApp, useEffect, useLayoutEffect, useRef, useState } from './html.js';
import { IconButton } from './parts.js';

const MOST = 4_000; // characters the server takes, counted as code points
const WARN_AT = 3_800;

export function Composer({ conversation }) {
  const app = useApp();
  const [otherId] = conversation.kind === 'private' ? conversation.others : [];
  if (app.people.blocked.has(otherId)) return html`<${Blocked} id=${otherId} />`;
  return html`<${Writing} conversation=${conversation} />`;
}

/** Neither can write to the other. */
function Blocked({ id }) {
  const app = useApp();
  return html`
    <p class="blocked" data-testid="blocked">You blocked ${app.people.name(id)}.
      ${' '}<button type="button" class="link" onClick=${() => app.attempt(() => app.people.unblock(id))}>Unblock</button></p>`;
}

function Writing({ conversation }) {
  const app = useApp();
  const { chat } = app.hereabouts;
  const [text, setText] = useState(conversation.draft);
  const input = useRef(null);
  const caret = useRef(null); // where it is to stand once what was put in is shown
  const isNearby = conversation.kind === 'nearby';
  const length = [...text].length;
  const maySend = text.trim() !== '' && length <= MOST && (!isNearby || conversation.ready);
  useEffect(() => () => isNearby || chat.typing(conversation.id, false), []);
  useLayoutEffect(() => {
    if (caret.current === null) return;
    input.current.focus();
    input.current.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  }, [text]);
  useEffect(() => {
    const { style } = input.current;
    style.height = 'auto';
    style.height = `${input.current.scrollHeight}px`;
  }, [text]);

  function write(value) {
    setText(value);
    app.conversations.writing.draft(conversation, value);
    if (!isNearby) chat.typing(conversation.id, value.trim() !== '');
  }

  function insert(emoji) {
    const { selectionStart: start, selectionEnd: end } = input.current;
    caret.current = start + emoji.length;
    write(text.slice(0, start) + emoji + text.slice(end));
  }

  function send(event) {
    event?.preventDefault();
    if (!maySend) return;
    app.conversations.writing.send(conversation, text.trim());
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
        aria-describedby=${isNearby ? 'earshot' : undefined} value=${text} onInput=${({ target }) => write(target.value)} onKeyDown=${onKeyDown}></textarea>
      ${length > WARN_AT && html`<span class="length ${length > MOST ? 'over' : ''}" role="status">${MOST - length}</span>`}
      <${EmojiButton} onPick=${insert} onClose=${() => input.current.focus()} />
      <${IconButton} icon="send" label="Send" class="send" type="submit" data-testid="chat-send" disabled=${!maySend} />
    </form>`;
}

function placeholder({ kind, title }) {
  return { land: 'Write to everybody here', nearby: 'Say something aloud' }[kind] ?? `Write to ${title}`;
}
