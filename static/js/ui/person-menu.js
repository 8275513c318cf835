// What one can do with somebody: write, make a group, call, walk over, block. Opened from
// the map and from lists; works with arrow keys, closes with Escape.

import { html, useApp, useLayoutEffect, useRef } from './html.js';
import { Icon } from './icons.js';
import { Avatar } from './parts.js';

const EDGE = 8; // pixels kept free around the menu

export function PersonMenu({ person, x, y }) {
  const app = useApp();
  const menu = useRef(null);
  const close = () => app.set({ menu: null });
  const name = app.people.name(person.id);
  const onMap = app.world.people.get(person.id);
  const blocked = app.people.blocked.has(person.id);

  useLayoutEffect(() => {
    const { offsetWidth: width, offsetHeight: height, style } = menu.current;
    style.left = `${Math.max(EDGE, Math.min(x, innerWidth - width - EDGE))}px`;
    style.top = `${Math.max(EDGE, Math.min(y, innerHeight - height - EDGE))}px`;
  }, [x, y]);

  // With the menu, not after it: the next key is the menu's already.
  useLayoutEffect(() => {
    const before = document.activeElement;
    items(menu.current)[0].focus();
    const pressOutside = ({ target }) => menu.current.contains(target) || close();
    document.addEventListener('pointerdown', pressOutside);
    return () => {
      document.removeEventListener('pointerdown', pressOutside);
      before?.focus({ preventScroll: true });
    };
  }, []);

  async function toggleBlock() {
    close();
    const done = await app.attempt(() => (blocked ? app.people.unblock(person.id) : app.people.block(person.id)));
    if (done) app.notice(blocked ? `${name} is no longer blocked` : `${name} is blocked. Settings can undo it.`);
  }

  const actions = [
    ['write', 'chat', 'Write', () => app.write(person)],
    ['group', 'people', 'Make a group', () => app.set({ menu: null, dialog: { kind: 'new-group', picked: [person.id] } })],
    ['call-audio', 'phone', 'Call', () => app.call(person, 'audio')],
    ['call-video', 'video', 'Video call', () => app.call(person, 'video')],
    onMap && ['walk-to', 'walk', 'Walk over', () => { app.world.walkTo(onMap.x, onMap.y + 2); close(); }],
    ['block', 'block', blocked ? 'Unblock' : 'Block', toggleBlock],
  ].filter(Boolean);

  return html`
    <section class="menu" aria-label=${name} ref=${menu} data-testid="person-menu">
      <div class="menu-head">
        <${Avatar} id=${person.id} name=${name} />
        <span class="row-text"><b>${name}</b><small>@${person.username}</small></span>
      </div>
      <div role="menu" aria-label=${name} onKeyDown=${(event) => onKey(event, close)}>
        ${actions.map(([id, icon, label, act]) => html`
          <button type="button" role="menuitem" key=${id} data-testid=${id} class=${id === 'block' ? 'danger' : ''} onClick=${act}>
            <${Icon} name=${icon} size=${18} />${label}
          </button>`)}
      </div>
    </section>`;
}

function items(menu) {
  return [...menu.querySelectorAll('[role="menuitem"]')];
}

function onKey(event, close) {
  const all = items(event.currentTarget);
  const at = all.indexOf(document.activeElement);
  const go = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === 'Escape' || event.key === 'Tab') close();
  else if (go !== undefined) all.at(go % all.length).focus();
  else return;
  event.preventDefault();
}
