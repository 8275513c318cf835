// The frame that every dialog of the page stands in: the browser's own modal
// dialog, which keeps the focus inside and gives it back when it closes.

import { html, useEffect, useRef } from './html.js';
import { IconButton } from './parts.js';

/** @param {{title: string, onClose: () => void, class?: string, children: any}} props */
export function Dialog({ title, onClose, class: className = '', children, ...rest }) {
  const element = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current.showModal();
    element.current.querySelector('[data-first]')?.focus();
    // Once the dialog is gone: until then nothing else can have the focus.
    return () => queueMicrotask(() => before?.focus());
  }, []);
  const closeOnBackdrop = ({ target }) => target === element.current && onClose();
  return html`
    <dialog ref=${element} class="dialog ${className}" aria-labelledby="dialog-title" onClose=${onClose}
      onMouseDown=${closeOnBackdrop} ...${rest}>
      <div class="dialog-body">
        <header>
          <h2 id="dialog-title">${title}</h2>
          <${IconButton} icon="close" label="Close" onClick=${onClose} />
        </header>
        ${children}
      </div>
    </dialog>`;
}

/** A question with one dangerous answer. */
export function ConfirmDialog({ title, text, action, onConfirm, onClose }) {
  return html`
    <${Dialog} title=${title} onClose=${onClose} class="narrow">
      <p>${text}</p>
      <footer>
        <button type="button" class="button quiet" onClick=${onClose}>Keep</button>
        <button type="button" class="button danger" data-testid="confirm" onClick=${onConfirm}>${action}</button>
      </footer>
    <//>`;
}
