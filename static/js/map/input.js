// What hands do to the map: click to walk, drag to look around, wheel and pinch
// to zoom, arrow keys and WASD to walk; and, while claiming, drag a rectangle.

const DRAG_PIXELS = 6; // less is a click

const KEYS = {
  ArrowUp: [0, -1], KeyW: [0, -1],
  ArrowDown: [0, 1], KeyS: [0, 1],
  ArrowLeft: [-1, 0], KeyA: [-1, 0],
  ArrowRight: [1, 0], KeyD: [1, 0],
};

/**
 * @typedef {object} MapHands  what the map does about it; points are in CSS pixels of the canvas
 * @property {() => boolean} claiming  whether a drag draws a rectangle
 * @property {(point) => void} click
 * @property {(point|null) => void} hover
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, at) => void} zoom
 * @property {(from, to, done: boolean) => void} drawClaim
 * @property {(direction: {x: number, y: number}) => void} steer
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {MapHands} hands
 * @returns {() => void} lets go
 */
export function attachInput(canvas, hands) {
  const abort = new AbortController();
  const options = { signal: abort.signal };
  attachPointers(canvas, hands, options);
  attachKeys(hands, options);
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    hands.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), pointOf(event));
  }, { ...options, passive: false });
  return () => abort.abort();
}

function pointOf({ offsetX: x, offsetY: y }) {
  return { x, y };
}

function attachPointers(canvas, hands, options) {
  const pointers = new Map(); // pointerId → its last point
  let from = null;
  let dragged = false;

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, pointOf(event));
    if (pointers.size === 1) {
      from = pointOf(event);
      dragged = false;
    }
  }, options);

  canvas.addEventListener('pointermove', (event) => {
    const point = pointOf(event);
    const last = pointers.get(event.pointerId);
    if (!last) return hands.hover(point);
    if (pointers.size === 2) {
      dragged = true;
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      hands.zoom(spread(point, other) / Math.max(1, spread(last, other)), between(point, other));
    } else {
      dragged ||= spread(point, from) > DRAG_PIXELS;
      if (dragged && hands.claiming()) hands.drawClaim(from, point, false);
      else if (dragged) hands.pan(point.x - last.x, point.y - last.y);
    }
    pointers.set(event.pointerId, point);
  }, options);

  canvas.addEventListener('pointerup', (event) => {
    if (!pointers.delete(event.pointerId) || pointers.size) return;
    if (!dragged) hands.click(pointOf(event));
    else if (hands.claiming()) hands.drawClaim(from, pointOf(event), true);
  }, options);

  canvas.addEventListener('pointercancel', (event) => pointers.delete(event.pointerId), options);
  canvas.addEventListener('pointerleave', () => hands.hover(null), options);
}

/** @param {{steer: MapHands['steer']}} hands @param {{signal: AbortSignal}} options  whose end lets go */
export function attachKeys(hands, options) {
  const held = new Set();
  const steer = () => {
    const steps = [...held].map((code) => KEYS[code]);
    hands.steer({ x: Math.sign(sum(steps, 0)), y: Math.sign(sum(steps, 1)) });
  };
  const release = () => {
    held.clear();
    steer();
  };

  document.addEventListener('keydown', (event) => {
    if (!KEYS[event.code] || event.ctrlKey || event.metaKey || event.altKey || hasOwnUseForKeys(event.target)) return;
    event.preventDefault();
    held.add(event.code);
    steer();
  }, options);
  document.addEventListener('keyup', (event) => held.delete(event.code) && steer(), options);
  // A key let go while another window has the focus is never told.
  addEventListener('blur', release, options);
  document.addEventListener('focusin', (event) => hasOwnUseForKeys(event.target) && held.size && release(), options);
}

/** Typing is not walking; neither is moving about in a menu, a log or a dialog. */
export function hasOwnUseForKeys(target) {
  return target.closest?.('input, textarea, select, dialog, [role="menu"], [role="log"], [role="tablist"]') !== null;
}

function sum(steps, axis) {
  return steps.reduce((total, step) => total + step[axis], 0);
}

function spread(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function between(a, b) {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
