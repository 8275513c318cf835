// Searching in what is loaded of a conversation: one walks from match to match, the newest first.

import { occurrences } from '../app/search.js';
import { html, useApp, useEffect, useMemo, useRef, useState } from './html.js';
import { IconButton } from './parts.js';

/**
 * @typedef {{marks: Map<string, [number, number][]>, current: string|null}} Found  by key of the row; the one to look at
 */

/**
 * @param {import('../app/conversation.js').Row[]} rows
 * @returns {{words: string|null, keys: string[], at: number, found: Found|null, open: () => void, close: () => void,
 *   search: (words: string) => void, go: (by: number) => void}}
 */
export function useSearch(rows) {
  const [words, setWords] = useState(null); // null: not searching
  const [current, setCurrent] = useState(null);
  const said = words && rows.map(({ key, state, content }) => (state === 'deleted' ? key : key + content)).join();
  const marks = useMemo(() => new Map(words
    ? rows.filter(({ state }) => state !== 'deleted')
      .map(({ key, content }) => [key, occurrences(content, words)])
      .filter(([, found]) => found.length)
    : []), [words, said]);
  const keys = [...marks.keys()];
  const at = keys.includes(current) ? keys.indexOf(current) : keys.length - 1;
  return {
    words,
    keys,
    at,
    found: words === null ? null : { marks, current: keys[at] ?? null },
    open: () => setWords(words ?? ''),
    close: () => setWords(null),
    search: (wanted) => {
      setWords(wanted);
      setCurrent(null);
    },
    go: (by) => setCurrent(keys[(at + by + keys.length) % keys.length] ?? null),
  };
}

export function SearchBar({ conversation, search }) {
  const app = useApp();
  const input = useRef(null);
  const { words, keys, at, go, close } = search;
  useEffect(() => {
    const before = document.activeElement;
    input.current.focus();
    return () => before?.focus({ preventScroll: true });
  }, []);
  const onKeyDown = (event) => {
    if (event.key === 'Escape') close();
    else if (event.key === 'Enter' && event.target === input.current) go(event.shiftKey ? 1 : -1);
    else return;
    event.preventDefault();
  };
  const count = keys.length ? `${keys.length - at} of ${keys.length}` : 'Nothing found';
  return html`
    <div class="search" role="search" onKeyDown=${onKeyDown}>
      <input ref=${input} type="text" inputmode="search" enterkeyhint="search" autocomplete="off" maxlength="200" data-testid="search-words"
        aria-label="Search this conversation" placeholder="Search what is loaded" value=${words} onInput=${({ target }) => search.search(target.value)} />
      <span class="search-count" role="status" data-testid="search-count">${words.trim() && count}</span>
      <${IconButton} icon="up" size=${18} label="Older match" disabled=${!keys.length} onClick=${() => go(-1)} />
      <${IconButton} icon="down" size=${18} label="Newer match" disabled=${!keys.length} onClick=${() => go(1)} />
      <${IconButton} icon="close" size=${18} label="Close the search" onClick=${close} />
      ${conversation.hasOlder && html`
        <button type="button" class="link search-more" disabled=${conversation.loading} data-testid="search-more"
          onClick=${() => app.conversations.loadOlder(conversation)}>${conversation.loading ? 'Loading…' : 'Search further back'}</button>`}
    </div>`;
}
