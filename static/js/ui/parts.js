// Small pieces that several views share: avatars, buttons with an icon, fields.

import { hueOf } from '../app/hues.js';
import { html } from './html.js';
import { Icon } from './icons.js';

const LETTER = /[\p{L}\p{N}]/u;
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u; // what can be seen by itself, where a name has no letter

/** @param {{id: string, name: string, online?: boolean, size?: 'small'|'large'|'huge'}} props */
export function Avatar({ id, name, online, size = '' }) {
  const words = name.split(/[\s_.-]+/).filter(Boolean).slice(0, 2);
  const initials = words.map((word) => LETTER.exec(word)?.[0]).join('') || VISIBLE.exec(name)?.[0] || '';
  return html`
    <span class="avatar hue-${hueOf(id)} ${size}" aria-hidden="true">
      ${initials.toUpperCase()}
      ${online !== undefined && html`<i class="presence ${online ? 'on' : ''}"></i>`}
    </span>`;
}

/** A button that shows an icon alone and says its name to those who hear or hover it. */
export function IconButton({ icon, label, struck, size, class: className = '', ...rest }) {
  return html`
    <button type="button" class="icon-button ${className}" aria-label=${label} title=${label} ...${rest}>
      <${Icon} name=${icon} struck=${struck} size=${size} />
    </button>`;
}

/**
 * A labelled input, with what is wrong about it said under it. What it begins with is its
 * `defaultValue`: a `value` would overwrite what is being typed whenever the page draws itself anew.
 */
export function Field({ label, hint, error, id, ...input }) {
  return html`
    <div class="field ${error ? 'wrong' : ''}">
      <label for=${id}>${label}</label>
      <input id=${id} aria-invalid=${error ? 'true' : 'false'} aria-describedby="${id}-about" ...${input} />
      <p id="${id}-about" class=${error ? 'field-error' : 'field-hint'} role=${error ? 'alert' : undefined}>
        ${error || hint || ''}
      </p>
    </div>`;
}

export function Switch({ label, hint, checked, onChange, id }) {
  return html`
    <div class="switch-row">
      <label for=${id}>${label}<small>${hint}</small></label>
      <input type="checkbox" role="switch" id=${id} data-testid=${id} checked=${checked} onChange=${onChange} />
    </div>`;
}

export function Empty({ icon, title, children }) {
  return html`
    <div class="empty">
      ${icon && html`<${Icon} name=${icon} size=${30} />`}
      <h3>${title}</h3>
      ${children}
    </div>`;
}

export function Count({ of, label = 'unread' }) {
  return of > 0 && html`<span class="count" aria-label="${of} ${label}">${of > 99 ? '99+' : of}</span>`;
}
