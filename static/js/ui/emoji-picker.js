// The emoji to pick from, over the line being written: found by a word, walked through with the
// arrow keys, picked with Enter or a touch.

import { emojiNamed } from '../app/emoji.js';
import { html, useEffect, useRef, useState } from './html.js';

const COLUMNS = 8;

export function EmojiPicker({ onPick, onClose }) {
  const [words, setWords] = useState('');
  const [at, setAt] = useState(0); // the one that the Tab key leads to
  const panel = useRef(null);
  const groups = emojiNamed(words);
  const rows = groups.flatMap(([, emoji]) => inRows(emoji));
  let index = 0; // of all that are shown, in order

  // On a touch screen the keyboard would come up over it.
  useEffect(() => {
    const first = matchMedia('(pointer: coarse)').matches ? '[data-emoji]' : 'input';
    panel.current.querySelector(first).focus();
  }, []);

  function go(to) {
    const all = panel.current.querySelectorAll('[data-emoji]');
    if (!all[to]) return;
    setAt(to);
    all[to].focus();
  }

  function onKeyDown(event) {
    const { key, target } = event;
    const typing = target.matches('input');
    if (key === 'Escape') onClose();
    else if (typing && key === 'Enter') panel.current.querySelector('[data-emoji]')?.click();
    else if (typing && key === 'ArrowDown') go(0);
    else if (!typing && ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End'].includes(key)) move(key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function move(key) {
    const total = rows.reduce((sum, row) => sum + row.length, 0);
    if (key === 'ArrowUp' || key === 'ArrowDown') {
      const to = inColumn(rows, at, key === 'ArrowDown' ? 1 : -1);
      if (to === null) panel.current.querySelector('input').focus();
      else go(to);
      return;
    }
    go({ ArrowLeft: Math.max(0, at - 1), ArrowRight: Math.min(total - 1, at + 1), Home: 0, End: total - 1 }[key]);
  }

  return html`
    <div class="emoji-picker" role="dialog" aria-label="Emoji" ref=${panel} data-testid="emoji-picker" onKeyDown=${onKeyDown}>
      <input type="text" aria-label="Find an emoji by a word" placeholder="Find by a word" autocomplete="off" value=${words} data-testid="emoji-words"
        onInput=${({ target }) => { setWords(target.value); setAt(0); }} />
      <div class="emoji-groups">
        ${groups.map(([name, emoji]) => html`
          <h3 key="${name}-head" aria-hidden="true">${name}</h3>
          <div key=${name} class="emoji-grid" role="grid" aria-label=${name}>
            ${inRows(emoji).map((row) => html`
              <div key=${row[0][0]} role="row">
                ${row.map(([letter, about]) => {
                  const own = index++;
                  return html`
                    <button type="button" key=${letter} role="gridcell" data-emoji=${letter} aria-label=${about.split(',')[0]} title=${about.split(',')[0]}
                      tabindex=${own === at ? 0 : -1} onFocus=${() => setAt(own)} onClick=${() => onPick(letter)}>${letter}</button>`;
                })}
              </div>`)}
          </div>`)}
        ${!groups.length && html`<p class="aside" role="status">None of that name here.</p>`}
      </div>
    </div>`;
}

function inRows(emoji) {
  return Array.from({ length: Math.ceil(emoji.length / COLUMNS) }, (_, row) => emoji.slice(row * COLUMNS, (row + 1) * COLUMNS));
}

/** The one a row further at the same column, or the last of a shorter row; null over the first, itself at the end. */
function inColumn(rows, at, by) {
  const starts = rows.map((_, row) => rows.slice(0, row).reduce((sum, { length }) => sum + length, 0));
  const row = starts.findLastIndex((start) => start <= at);
  const to = row + by;
  if (to < 0) return null;
  if (to >= rows.length) return at;
  return starts[to] + Math.min(at - starts[row], rows[to].length - 1);
}
