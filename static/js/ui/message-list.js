// The messages of a conversation, scrolling: older pages load as the top comes
// near and the place one reads at stays put; at the bottom it follows along
// and marks as read what is seen.

import { dayName, inWords, together } from '../app/words.js';
import { html, useApp, useEffect, useLayoutEffect, useRef, useState } from './html.js';
import { Icon } from './icons.js';
import { MessageRow } from './message-row.js';
import { NothingSaid } from './nearby.js';
import { Empty } from './parts.js';

const NEAR_TOP = 240; // pixels
const NEAR_BOTTOM = 60;
const SAME_BREATH_MS = 5 * 60_000; // messages closer than this share one name

/** @param {{conversation: object, found: import('./search-bar.js').Found|null}} props */
export function MessageList({ conversation, found }) {
  const app = useApp();
  const scroller = useRef(null);
  const place = useRef({ atBottom: true, first: null, bottom: 0 }); // the first row, and where it ended
  const [atBottom, setAtBottom] = useState(true);
  const { rows } = conversation;
  const lastKey = rows.at(-1)?.key ?? null;

  useLayoutEffect(() => {
    const { current: element } = scroller;
    const { atBottom: wasAtBottom, first: before, bottom } = place.current;
    if (wasAtBottom) element.scrollTop = element.scrollHeight;
    else if (before?.isConnected) element.scrollTop += bottomOf(before) - bottom;
    const first = element.querySelector('.message');
    Object.assign(place.current, { first, bottom: first ? bottomOf(first) : 0 });
  });

  // What oneself says is always followed to the bottom.
  const lastIsMine = rows.at(-1)?.sender_id === app.hereabouts.user.id;
  useLayoutEffect(() => {
    if (lastIsMine) toBottom();
  }, [lastKey]);

  const looksAt = found?.current ?? null;
  useLayoutEffect(() => {
    if (looksAt === null) return;
    const { current: element } = scroller;
    const row = element.querySelector('.message.current');
    element.scrollTop = row.offsetTop - (element.clientHeight - row.offsetHeight) / 2;
    notice();
  }, [looksAt]);

  useEffect(() => {
    if (!conversation.loaded) app.conversations.load(conversation);
  }, []);
  useEffect(() => markSeen(app, conversation, scroller.current, place.current.atBottom));
  useEffect(() => {
    const look = () => markSeen(app, conversation, scroller.current, place.current.atBottom);
    const follow = new ResizeObserver(() => place.current.atBottom && toBottom());
    follow.observe(scroller.current);
    document.addEventListener('visibilitychange', look);
    return () => {
      follow.disconnect();
      document.removeEventListener('visibilitychange', look);
    };
  }, [conversation]);

  function toBottom() {
    const { current: element } = scroller;
    element.scrollTop = element.scrollHeight;
    place.current.atBottom = true;
    setAtBottom(true);
  }

  /** Whether one looks at the newest. */
  function notice() {
    const { scrollTop, scrollHeight, clientHeight } = scroller.current;
    place.current.atBottom = scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM;
    setAtBottom(place.current.atBottom);
  }

  function onScroll() {
    notice();
    const { scrollTop } = scroller.current;
    if (scrollTop < NEAR_TOP && conversation.hasOlder && !conversation.loading) app.conversations.loadOlder(conversation);
  }

  return html`
    <div class="log-frame">
      <div ref=${scroller} class="log" data-testid="chat-log" role="log" aria-label="Messages" tabindex="0"
        aria-busy=${conversation.loading ? 'true' : 'false'} onScroll=${onScroll}>
        <${Top} conversation=${conversation} rows=${rows} />
        <ol>${withDays(rows).map((entry) => (entry.day
          ? html`<li key="day-${entry.day}" class="day"><span>${entry.day}</span></li>`
          : html`<${MessageRow} key=${entry.row.key} conversation=${conversation} ...${entry}
              marks=${found?.marks.get(entry.row.key)} current=${entry.row.key === looksAt} />`))}
        </ol>
        <${ReadBy} conversation=${conversation} rows=${rows} />
      </div>
      ${!atBottom && html`
        <button type="button" class="to-bottom" aria-label="To the newest message" onClick=${toBottom}>
          <${Icon} name="down" size=${18} />${conversation.unread > 0 && `${conversation.unread} new`}
        </button>`}
    </div>`;
}

function Top({ conversation, rows }) {
  const app = useApp();
  if (conversation.error) {
    return html`
      <p class="log-top" role="alert">${inWords(conversation.error)}
        ${' '}<button type="button" class="link" onClick=${() => app.conversations.loadAgain(conversation)}>Try again</button></p>`;
  }
  if (!conversation.loaded) return html`<div class="skeletons" aria-label="Loading"><i></i><i></i><i></i><i></i></div>`;
  if (conversation.loading && conversation.hasOlder) return html`<p class="log-top">Loading older messages…</p>`;
  if (!rows.length && conversation.kind === 'nearby') return html`<${NothingSaid} />`;
  if (rows.length) return html`<p class="log-top">${conversation.hasOlder ? '' : 'This is where it began.'}</p>`;
  return html`
    <${Empty} icon="chat" title="Nothing said yet">
      <p>${conversation.kind === 'land' ? 'Whoever steps in can read along. Say hello.' : 'The first word is yours.'}</p>
    <//>`;
}

/** Only a group needs names; in private the ticks of each message say it. */
function ReadBy({ conversation, rows }) {
  const app = useApp();
  if (conversation.kind !== 'group') return null;
  const last = rows.findLast(({ state, sender_id: sender }) => state === 'sent' && sender === app.hereabouts.user.id);
  const readers = last ? conversation.readersOf(last.seq) : [];
  if (!readers.length) return null;
  const everybody = readers.length >= conversation.others.length;
  const names = readers.map((id) => app.people.name(id));
  return html`<p class="read-by">Read by ${everybody && names.length > 1 ? 'everybody' : together(names, '', '').trim()}</p>`;
}

/** Puts a separator before the first message of each day, and says who starts a new breath. */
function withDays(rows) {
  const entries = [];
  let day = null;
  let before = null;
  for (const row of rows) {
    // A deleted message has no time: it stays with the day that it stands in.
    const rowDay = row.created_at ? dayName(row.created_at) : day;
    if (rowDay && rowDay !== day) entries.push({ day: rowDay });
    const sameBreath = before && rowDay === day && before.sender_id === row.sender_id && row.state !== 'deleted'
      && before.state !== 'deleted' && Date.parse(row.created_at) - Date.parse(before.created_at) < SAME_BREATH_MS;
    entries.push({ row, first: !sameBreath });
    day = rowDay;
    before = row;
  }
  return entries;
}

/** Its lower edge stays put even when a row above joins its breath and takes its name away. */
function bottomOf(row) {
  return row.offsetTop + row.offsetHeight;
}

function markSeen(app, conversation, element, atBottom) {
  const visible = document.visibilityState === 'visible' && element.checkVisibility({ visibilityProperty: true });
  if (visible && atBottom && conversation.loaded && conversation.unread) app.conversations.markRead(conversation);
}
