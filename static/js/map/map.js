// The map: a canvas, its renderer, a camera, the loop that draws it, and what clicks mean.
//
// Owned by the view that holds the canvas; it reads the app's models at every
// frame and tells the app what was chosen. It is loaded with its renderer when it is first needed.

import { Camera } from './camera.js';
import { attachInput } from './input.js';
import { figureMeasures } from './measures.js';
import { Palette } from './palette.js';
import { rendererFor } from './pixi.js';
import { Scene } from './scene.js';

// Nothing is drawn twice: while all stand still, only what moves by itself is, and where motion is not wanted, nothing
// but what no event tells of.
const IDLE_MS = 66;
const STILL_MS = 250;

export class WorldMap {
  #canvas;
  #app;
  #palette = new Palette();
  #scene = new Scene();
  #claim = null;
  #pointer = null; // where it rests, for what walks under it
  #hovered = null;
  #steppedAt = 0;
  #drawnAt = -Infinity;
  #drawnView = ''; // what of the camera and the pointer was drawn
  #drawnColours = null;
  #due = true; // something has changed
  #frame = 0;
  #detach;
  #resizes;
  #still = matchMedia('(prefers-reduced-motion: reduce)');
  #unlisten = new AbortController();

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import('../app/app.js').App} app
   * @returns {Promise<WorldMap>} @throws whatever keeps the browser from drawing at all
   */
  static async open(canvas, app) {
    return new WorldMap(canvas, app, await rendererFor(canvas));
  }

  /** @param {object} renderer  of `rendererFor` */
  constructor(canvas, app, renderer) {
    this.#canvas = canvas;
    this.#app = app;
    this.renderer = renderer;
    this.camera = new Camera();
    /** Parts of the page over the map, in its pixels: words keep clear of them. */
    this.overlays = [];
    /** Whether the browser took the graphics away, as it may when it is short of memory; it gives them back. */
    this.isLost = false;
    this.camera.centreOn(app.world.self);
    this.#detach = attachInput(canvas, {
      claiming: () => app.claiming,
      click: (point) => this.#click(point),
      hover: (point) => { this.#pointer = point; },
      pan: (dx, dy) => this.camera.pan(dx, dy),
      zoom: (factor, at) => this.camera.zoom(factor, at),
      drawClaim: (from, to, done) => this.#drawClaim(from, to, done),
      steer: (direction) => this.#steer(direction),
    });
    this.#resizes = new ResizeObserver(() => this.#resize());
    this.#resizes.observe(canvas);
    this.#listen();
    this.#resize();
    this.#tick(performance.now());
  }

  /** Goes back to the user's own avatar. */
  recentre() {
    this.camera.following = true;
  }

  /** Looks at another place, and stays there. @param {{x: number, y: number}} place  in units */
  lookAt(place) {
    this.camera.centreOn(place);
    this.camera.following = false;
  }

  destroy() {
    cancelAnimationFrame(this.#frame);
    this.#resizes.disconnect();
    this.#unlisten.abort();
    this.#detach();
    this.#scene.destroy();
    this.renderer.destroy();
  }

  #listen() {
    const { signal } = this.#unlisten;
    for (const [type, isLost] of [['webglcontextlost', true], ['webglcontextrestored', false]]) {
      this.#canvas.addEventListener(type, () => {
        this.isLost = isLost;
        this.#app.emit('changed');
      }, { signal });
    }
    signal.addEventListener('abort', this.#app.on('changed', () => { this.#due = true; }));
    signal.addEventListener('abort', this.#app.world.on('moved', () => this.camera.centreOn(this.#app.world.self)));
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width || !height) return;
    this.camera.resize(width, height);
    this.renderer.resize(width, height, devicePixelRatio);
    this.#due = true;
  }

  #tick(now) {
    this.#frame = requestAnimationFrame((next) => this.#tick(next));
    const seconds = (now - this.#steppedAt) / 1000;
    this.#steppedAt = now;
    const { world, lands, people, conversations, hereabouts } = this.#app;
    if (!hereabouts.user) return; // signing out
    if (this.renderer.resolution !== devicePixelRatio) this.#resize(); // another screen, or the page was zoomed
    const moves = world.step(seconds, performance.now());
    this.camera.follow(world.self, seconds, !this.#still.matches);
    lands.view(this.camera.bounds);
    this.#hover();
    if (this.isLost || !(moves || this.#isDue(now))) return;
    const { colours } = this.#palette;
    this.#scene.draw({
      camera: this.camera,
      colours,
      density: devicePixelRatio,
      world,
      lands: lands.byId.values(),
      user: hereabouts.user,
      name: (userId) => people.name(userId),
      typing: new Set(conversations.here?.typing.keys()),
      talking: hereabouts.voice.talking,
      claim: this.#app.claiming ? this.#claim : null,
      hovered: this.#hovered?.id ?? null,
      overlays: this.overlays,
      connected: hereabouts.chat.state === 'open',
      now: performance.now(),
      still: this.#still.matches,
    });
    this.renderer.render({ container: this.#scene, clearColor: colours.ground });
    this.#drawnAt = now;
    this.#due = moves || !this.#scene.isDone; // once more, with those who walked standing
  }

  #isDue(now) {
    const { x, y, scale, covered } = this.camera;
    const quarters = (units) => Math.round(units * scale * 4); // of a pixel
    const view = [quarters(x), quarters(y), scale, covered.above, covered.below, this.#hovered?.id, JSON.stringify(this.#claim)].join();
    const { colours } = this.#palette;
    const changed = view !== this.#drawnView || colours !== this.#drawnColours;
    this.#drawnView = view;
    this.#drawnColours = colours;
    return changed || this.#due || now - this.#drawnAt >= (this.#still.matches ? STILL_MS : IDLE_MS);
  }

  #personAt(point) {
    const { middle, reach } = figureMeasures(this.camera);
    let nearest = { person: null, distance: reach };
    for (const person of this.#app.world.people.values()) {
      const { x, y } = this.camera.toScreen(person);
      const distance = Math.hypot(x - point.x, y - middle - point.y);
      if (!person.leftAt && distance < nearest.distance) nearest = { person, distance };
    }
    return nearest.person;
  }

  #click(point) {
    if (this.#app.claiming) return;
    const person = this.#personAt(point);
    if (person) {
      const { left, top } = this.#canvas.getBoundingClientRect();
      this.#app.set({ menu: { person, x: left + point.x, y: top + point.y } });
      return;
    }
    const { x, y } = this.camera.toWorld(point);
    this.#app.world.walkTo(x, y);
    this.camera.following = true;
  }

  /** People walk under a pointer that rests. */
  #hover() {
    this.#hovered = this.#pointer && !this.#app.claiming ? this.#personAt(this.#pointer) : null;
    this.#canvas.style.cursor = this.#app.claiming ? 'crosshair' : this.#hovered ? 'pointer' : '';
  }

  #steer(direction) {
    this.#app.world.direction = direction;
    if (direction.x || direction.y) this.camera.following = true;
  }

  #drawClaim(from, to, done) {
    const [a, b] = [this.camera.toWorld(from), this.camera.toWorld(to)];
    const x = Math.round(Math.min(a.x, b.x));
    const y = Math.round(Math.min(a.y, b.y));
    const rect = {
      x,
      y,
      width: Math.max(1, Math.round(Math.max(a.x, b.x)) - x),
      height: Math.max(1, Math.round(Math.max(a.y, b.y)) - y),
    };
    this.#claim = { ...rect, free: !this.#app.lands.overlaps(rect) };
    if (!done) return;
    this.#claim = null;
    this.#app.set({ claiming: false, dialog: { kind: 'claim', rect } });
  }
}
