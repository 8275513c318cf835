// Text from others: web addresses as links that do not deceive, and what was searched for marked in it.

import { html } from './html.js';

const LINK = /https?:\/\/[^\s<>"'\p{C}]+/gu; // none with characters inside that cannot be seen
const ENDS_A_SENTENCE = /[.,;:!?\]}’”…]$/u;

/**
 * Text as its writer typed it. Only http and https become links, and the page that opens learns nothing of this one.
 * @param {{text: string, marks?: [number, number][]}} props  `marks`: where what was searched for begins and ends, in order
 */
export function RichText({ text, marks = [] }) {
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const address = withoutPunctuation(found);
    const url = URL.canParse(address) ? new URL(address) : null;
    if (!url) continue;
    const to = index + address.length;
    parts.push(...marked(text, end, index, marks));
    parts.push(html`<a href=${url.href} target="_blank" rel="noopener noreferrer nofollow">${marked(text, index, to, marks)}${unlike(address, url)}</a>`);
    end = to;
  }
  parts.push(...marked(text, end, text.length, marks));
  return parts;
}

/** Full stops and the like after an address are the sentence's, and so is a bracket that does not open in it. */
function withoutPunctuation(address) {
  const count = (mark) => address.split(mark).length;
  const overhangs = address.endsWith(')') && count(')') > count('(');
  return overhangs || ENDS_A_SENTENCE.test(address) ? withoutPunctuation(address.slice(0, -1)) : address;
}

/**
 * Says where an address leads if that is not what it reads like: letters that look like others, a name before an `@`,
 * numbers written oddly.
 */
function unlike(address, { host }) {
  const [, read] = /^https?:\/\/([^/?#]*)/.exec(address);
  return read.toLowerCase() === host ? '' : ` (${host})`;
}

function marked(text, from, to, marks) {
  const parts = [];
  let at = from;
  for (const [start, end] of marks) {
    const [first, last] = [Math.max(start, at), Math.min(end, to)];
    if (first >= last) continue;
    parts.push(text.slice(at, first), html`<mark>${text.slice(first, last)}</mark>`);
    at = last;
  }
  parts.push(text.slice(at, to));
  return parts;
}
