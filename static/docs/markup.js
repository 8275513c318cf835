// As much of Markdown as the documents' descriptions use: paragraphs, lists, `code` and **bold**.

import { html } from '../vendor/htm-3.1.1/preact/standalone.module.js';

const MEANING = /^- `([^`]+)`: (.*)$/;

export function Markup({ text, inline = false }) {
  return inline ? spans(text) : text.split(/\n{2,}/).map(block);
}

function block(text, index) {
  const lines = text.split('\n');
  if (lines.every((line) => MEANING.test(line))) {
    return html`
      <dl class="meanings" key=${index}>${lines.map((line) => {
        const [, term, meaning] = MEANING.exec(line);
        return html`<div key=${term}><dt><code>${term}</code></dt><dd>${spans(meaning)}</dd></div>`;
      })}</dl>`;
  }
  return html`<p key=${index}>${spans(text)}</p>`;
}

/**
 * @param {string} text  of one paragraph
 * @param {(tag: string, text: string) => any} element  makes one, for whichever library draws it
 */
export function spans(text, element = (tag, inner) => html`<${tag}>${inner}<//>`) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith('`')) return element('code', part.slice(1, -1));
    if (part.startsWith('**')) return element('b', part.slice(2, -2));
    return part;
  });
}
