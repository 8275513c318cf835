// The page's icons: strokes on a 24-unit square, in the colour of the text.

import { html } from './html.js';

const PATHS = {
  map: 'M9 4 3.5 6.5v13L9 17l6 3 5.5-2.5v-13L15 7 9 4Zm0 0v13m6-10v13',
  chat: 'M20 11.5a7.5 7.5 0 0 1-11 6.6L4 19.5l1.4-4.6A7.5 7.5 0 1 1 20 11.5Z',
  inbox: 'M4 13.5 6.5 5h11l2.5 8.5V19H4v-5.5Zm0 0h4.5l1.2 2.5h4.6l1.2-2.5H20',
  people: 'M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 19.5c0-3.4 2.7-5.5 6.5-5.5s6.5 2.1 6.5 5.5M16 11.2a3.2 3.2 0 1 0-1.3-6.1M18 14.4c2.1.7 3.5 2.4 3.5 5.1',
  settings: 'M4 7.5h8.5M17.5 7.5H20M4 16.5h2.5M11.5 16.5H20M15 10a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM9 19a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z',
  phone: 'M6.2 3.8 9 4.4l1.2 4-2 1.7a12 12 0 0 0 5.7 5.7l1.7-2 4 1.2.6 2.8c-.2 1.5-1.4 2.4-2.9 2.4A13.6 13.6 0 0 1 3.8 6.7c0-1.5.9-2.7 2.4-2.9Z',
  hangup: 'M3.2 14.6c4.8-4.8 12.8-4.8 17.6 0l-2.3 2.6-3.6-1.6-.2-2.5a9.6 9.6 0 0 0-5.4 0l-.2 2.5-3.6 1.6-2.3-2.6Z',
  video: 'M3.5 7.5c0-.8.7-1.5 1.5-1.5h8.5c.8 0 1.5.7 1.5 1.5v9c0 .8-.7 1.5-1.5 1.5H5c-.8 0-1.5-.7-1.5-1.5v-9ZM15 10.5l5.5-3v9l-5.5-3',
  mic: 'M12 14.5a3 3 0 0 0 3-3V6.5a3 3 0 0 0-6 0v5a3 3 0 0 0 3 3ZM6 11.5a6 6 0 0 0 12 0M12 17.5v3',
  voice: 'M4 10.5v3M8 7v10M12 3.5v17M16 8v8M20 10.5v3',
  slash: 'M4 4l16 16',
  send: 'M4.5 12 20 4.5 16 20l-4.2-6L4.5 12Zm7.3 2L20 4.5',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  close: 'M6 6l12 12M18 6 6 18',
  back: 'M15 5l-7 7 7 7',
  down: 'M12 5v14m-6-6 6 6 6-6',
  bin: 'M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7',
  target: 'M12 18.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM12 2.5v4m0 11v4M2.5 12h4m11 0h4',
  flag: 'M6 21V4m0 .8c4-2.6 7.5 2.6 12 0v9c-4.5 2.6-8-2.6-12 0',
  walk: 'M13 6.5a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6ZM7.5 12l2-4 3-.8 2.3 3.3 3 1M11.5 8l-1 5.5 3 3 .8 5M10 15.5 7.5 21',
  block: 'M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM6 6l12 12',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM15.5 15.5 20.5 20.5',
  check: 'M5 12.5l4.5 4.5L19 7',
  checks: 'M2.5 12.5 7 17l8.5-9.5M11 15.8l1.2 1.2L21 7.5',
  clock: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16ZM12 8v4.5l3 1.5',
  alert: 'M12 8v5m0 3.2v.01M12 3.5 21 19.5H3L12 3.5Z',
  globe: 'M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM3.5 12h17M12 3.5c2.3 2.4 3.4 5.2 3.4 8.5s-1.1 6.1-3.4 8.5c-2.3-2.4-3.4-5.2-3.4-8.5s1.1-6.1 3.4-8.5Z',
  exit: 'M10 4.5H5v15h5M14 8l4 4-4 4M18 12H9',
};

/** @param {{name: keyof PATHS, struck?: boolean, size?: number}} props */
export function Icon({ name, struck = false, size = 20 }) {
  return html`
    <svg class="icon" width=${size} height=${size} viewBox="0 0 24 24" fill="none" stroke="currentColor"
      stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d=${PATHS[name]} />
      ${struck && html`<path d=${PATHS.slash} />`}
    </svg>`;
}
