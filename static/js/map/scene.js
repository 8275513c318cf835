// What the map is made of, one over the other: ground, lands, earshot, people, what they say. `draw` brings all of it to
// where a frame has it. It is given everything and changes nothing.

import { EARSHOT } from '../app/world.js';
import { placeDashes } from './dashes.js';
import { Figures } from './figures.js';
import { Ground } from './ground.js';
import { paintDash, Parcels, screenRect } from './parcels.js';
import { Container, Texture } from './pixi.js';
import { Box, Pool } from './sprites.js';
import { painted, Textures } from './textures.js';
import { Words } from './words.js';

const STALE_OPACITY = 0.45; // of people whose positions are not heard of any more
const EARSHOT_CORNER = 2.2; // units
const EARSHOT_PAINTED = 48; // pixels of the corner as it is painted
const EARSHOT_DASH = { length: 3.5, gap: 6.5, width: 1.5 };
const CLAIM_DASH = { length: 8, gap: 5, width: 2 };
const TARGET_MS = 900;

export class Scene extends Container {
  #textures = new Textures();
  #ground = new Ground();
  #parcels = new Parcels();
  #earshot = new Container();
  #earshotBox = null;
  #earshotEdge = new Pool();
  #marks = new Pool();
  #figures = new Figures();
  #words = new Words();
  #colours = null;
  #density = 0;

  constructor() {
    super();
    this.#earshot.addChild(this.#earshotEdge);
    this.addChild(this.#ground, this.#parcels, this.#earshot, this.#parcels.names, this.#marks, this.#figures, this.#words);
    document.fonts.addEventListener('loadingdone', () => { this.#colours = null; });
  }

  /**
   * @param {object} view
   * @param {import('./camera.js').Camera} view.camera
   * @param {object} view.colours  of Palette
   * @param {number} view.density  device pixels a CSS pixel
   * @param {import('../app/world.js').World} view.world
   * @param {Iterable<import('../client/api.js').Land>} view.lands
   * @param {{id: string}} view.user
   * @param {(userId: string) => string} view.name
   * @param {Set<string>} view.typing  ids of those who type here
   * @param {Set<string>} view.talking  ids of those whose voice is heard now
   * @param {{x: number, y: number, width: number, height: number, free: boolean}|null} view.claim
   * @param {string|null} view.hovered  a person's id
   * @param {{x: number, y: number, width: number, height: number}[]} view.overlays  parts of the page over the map
   * @param {boolean} view.connected  whether what is known of others is of now
   * @param {number} view.now  milliseconds
   * @param {boolean} view.still  motion is not wanted
   */
  draw({ world, ...given }) {
    const view = { ...given, world, speech: world.speech, textures: this.#textures };
    if (this.#colours !== view.colours || this.#density !== view.density) this.#repaint(view);
    this.#textures.tick(view.now);
    this.#ground.draw(view);
    const landNames = this.#parcels.draw(view);
    this.#drawEarshot(view);
    this.#marks.begin();
    if (world.target) this.#drawTarget(view);
    if (view.claim) this.#drawClaim(view);
    this.#marks.end();
    const figures = figuresIn(view);
    this.#figures.draw(view, figures);
    this.#words.draw(view, figures, landNames);
  }

  /** Whether another frame of the same would look the same, but for what moves by itself. */
  get isDone() {
    return this.#ground.isDone;
  }

  /** Everything is painted anew: other colours, another density of the screen, or fonts that came in. */
  #repaint({ colours, density }) {
    this.#colours = colours;
    this.#density = density;
    this.#parcels.repaint();
    this.#figures.repaint();
    this.#words.repaint();
    this.#earshotBox?.destroy();
    this.#earshotBox = null;
    this.#textures.clear();
  }

  /** Distance is the larger of the two offsets, so that earshot is a square, not a disc. */
  #drawEarshot(view) {
    const { camera, colours, world, textures, density, still, now } = view;
    const { x, y } = world.self;
    const rect = screenRect(view, { x: x - EARSHOT, y: y - EARSHOT, width: 2 * EARSHOT, height: 2 * EARSHOT });
    const corner = EARSHOT_CORNER * camera.scale;
    const texture = textures.get('earshot', () => paintEarshot(view));
    this.#earshotBox ??= this.#earshot.addChildAt(new Box(texture), 0);
    this.#earshotBox.place(rect, corner);
    const dash = textures.get('dash', () => paintDash(density));
    this.#earshotEdge.begin();
    placeDashes(rect, corner, EARSHOT_DASH, still ? 0 : now / 120, camera, (left, top, angle) => {
      putDash(this.#earshotEdge, dash, EARSHOT_DASH, left, top, angle, colours.accent).alpha = 0.55;
    });
    this.#earshotEdge.end();
  }

  #drawTarget(view) {
    const { camera, colours, world, textures, density, still, now } = view;
    const { x, y } = camera.toScreen(world.target);
    const pulse = still ? 0.5 : (now % TARGET_MS) / TARGET_MS;
    const ring = this.#marks.next(textures.get('target', () => painted(30, 20, density, paintTarget)));
    ring.anchor.set(0.5);
    ring.scale.set((5 + pulse * 8) / 13);
    ring.position.set(x, y);
    ring.tint = colours.accent;
    ring.alpha = 1 - pulse * 0.7;
  }

  #drawClaim(view) {
    const { camera, colours, claim, textures, density } = view;
    const rect = screenRect(view, claim);
    const colour = claim.free ? colours.accent : colours.danger;
    const fill = this.#marks.next(Texture.WHITE);
    fill.anchor.set(0);
    fill.position.set(rect.x, rect.y);
    fill.setSize(rect.width, rect.height);
    fill.tint = colour;
    fill.alpha = 0.16;
    const dash = textures.get('dash', () => paintDash(density));
    placeDashes(rect, 0, CLAIM_DASH, 0, camera, (x, y, angle) => putDash(this.#marks, dash, CLAIM_DASH, x, y, angle, colour));
    const size = `${claim.width} × ${claim.height}${claim.free ? '' : ', taken'}`;
    const words = this.#marks.next(textures.get(`claim ${colour} ${size}`, () => painted(200, 20, density, (context) => {
      context.fillStyle = colour;
      context.font = `600 13px ${colours.text}`;
      context.textBaseline = 'bottom';
      context.fillText(size, 0, 18);
    })));
    words.anchor.set(0);
    words.scale.set(1);
    words.position.set(Math.round(rect.x) + 2, Math.round(rect.y) - 23);
  }

  destroy() {
    this.#textures.clear();
    super.destroy({ children: true });
  }
}

function figuresIn({ camera, world, user, name, hovered, connected }) {
  const figures = [];
  for (const person of world.people.values()) {
    if (!camera.shows(camera.toScreen(person))) continue;
    figures.push({
      person,
      label: name(person.id),
      inEarshot: person.distance <= EARSHOT,
      self: false,
      hovered: person.id === hovered,
      opacity: Math.max(0, person.opacity) * (connected ? 1 : STALE_OPACITY),
    });
  }
  const self = { person: { ...world.self, id: user.id }, label: name(user.id), self: true, hovered: false, opacity: 1 };
  if (camera.shows(camera.toScreen(self.person))) figures.push(self);
  // Whoever stands lower on the screen stands in front.
  return figures.sort((a, b) => a.person.y - b.person.y);
}

function putDash(pool, texture, { length, width }, x, y, angle, tint) {
  const sprite = pool.next(texture);
  sprite.anchor.set(0.5);
  sprite.setSize(length, width);
  sprite.position.set(x, y);
  sprite.rotation = angle;
  sprite.tint = tint;
  return sprite;
}

function paintEarshot({ colours, density }) {
  const size = 2 * EARSHOT_PAINTED + 1;
  return painted(size, size, density, (context) => {
    context.fillStyle = colours.earshot;
    context.beginPath();
    context.roundRect(0, 0, size, size, EARSHOT_PAINTED);
    context.fill();
  });
}

function paintTarget(context) {
  context.strokeStyle = '#fff';
  context.lineWidth = 2.4;
  context.beginPath();
  context.ellipse(15, 10, 13, 8, 0, 0, 2 * Math.PI);
  context.stroke();
}
