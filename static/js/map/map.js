// The map: a canvas, a camera, the loop that draws it, and what clicks mean.
//
// Owned by the view that holds the canvas; it reads the app's models at every
// frame and tells the app what was chosen.

import { Camera } from './camera.js';
import { figureMeasures } from './figures.js';
import { attachInput } from './input.js';
import { Palette } from './palette.js';
import { Scene } from './scene.js';

export class WorldMap {
  #canvas;
  #context;
  #app;
  #palette = new Palette();
  #scene = new Scene();
  #claim = null;
  #hovered = null;
  #drawnAt = 0;
  #frame = 0;
  #detach;
  #resizes;
  #still = matchMedia('(prefers-reduced-motion: reduce)');

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import('../app/app.js').App} app
   */
  constructor(canvas, app) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false });
    this.#app = app;
    this.camera = new Camera();
    /** Parts of the page over the map, in its pixels: words keep clear of them. */
    this.overlays = [];
    this.camera.centreOn(app.world.self);
    this.#detach = attachInput(canvas, {
      claiming: () => app.claiming,
      click: (point) => this.#click(point),
      hover: (point) => this.#hover(point),
      pan: (dx, dy) => this.camera.pan(dx, dy),
      zoom: (factor, at) => this.camera.zoom(factor, at),
      drawClaim: (from, to, done) => this.#drawClaim(from, to, done),
      steer: (direction) => this.#steer(direction),
    });
    this.#resizes = new ResizeObserver(() => this.#resize());
    this.#resizes.observe(canvas);
    this.#resize();
    this.#tick(performance.now());
  }

  /** Goes back to the user's own avatar. */
  recentre() {
    this.camera.following = true;
  }

  destroy() {
    cancelAnimationFrame(this.#frame);
    this.#resizes.disconnect();
    this.#detach();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const density = devicePixelRatio;
    this.camera.resize(width, height);
    Object.assign(this.#canvas, { width: width * density, height: height * density });
    this.#context.setTransform(density, 0, 0, density, 0, 0);
  }

  #tick(now) {
    const seconds = (now - this.#drawnAt) / 1000;
    this.#drawnAt = now;
    const { world, lands, people, conversations, hereabouts } = this.#app;
    world.step(seconds, now);
    this.camera.follow(world.self, seconds, !this.#still.matches);
    lands.view(this.camera.bounds);
    this.#scene.draw(this.#context, {
      camera: this.camera,
      colours: this.#palette.colours,
      world,
      lands: lands.byId.values(),
      user: hereabouts.user,
      name: (userId) => people.name(userId),
      typing: new Set(conversations.here?.typing.keys()),
      claim: this.#app.claiming ? this.#claim : null,
      hovered: this.#hovered?.id ?? null,
      overlays: this.overlays,
      connected: hereabouts.chat.state === 'open',
      now,
      still: this.#still.matches,
    });
    this.#frame = requestAnimationFrame((next) => this.#tick(next));
  }

  #personAt(point) {
    const { middle, reach } = figureMeasures(this.camera);
    const miss = ({ x, y }) => Math.hypot(x - point.x, y - middle - point.y);
    return this.#app.world.nearby
      .map((person) => ({ person, distance: miss(this.camera.toScreen(person)) }))
      .filter(({ distance }) => distance < reach)
      .sort((a, b) => a.distance - b.distance)[0]?.person ?? null;
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

  #hover(point) {
    this.#hovered = point && !this.#app.claiming ? this.#personAt(point) : null;
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
