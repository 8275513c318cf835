// The people on the map: a small figure each, in the person's colour, that
// strides when it walks and looks where it goes. All of them are painted on one sheet, so that a crowd is one draw call.

import { hueOf } from '../app/hues.js';
import { figureMeasures, LARGEST } from './measures.js';
import { Container } from './pixi.js';
import { Pool } from './sprites.js';
import { painted, partOf } from './textures.js';

// Of the drawing below, in pixels before it grows.
const HEAD = 8;
const CELL = { width: 26, height: 48, feet: { x: 13, y: 45 } };
const STRIDES = [0, 0.5, 1, -0.5, -1];
const LOOKS = [-2.5, 0, 2.5]; // to the left, ahead, to the right
const STRIDE_MS = 75; // a radian of it
const SHADOW = { width: 26, height: 11 };
const WAVES = { width: 22, height: 22 };
const WAVE_MS = 260;

export class Figures extends Container {
  #shadows = new Pool();
  #bodies = new Pool();
  #waves = new Pool();
  #parts = [];
  #sheet = null;

  constructor() {
    super();
    this.addChild(this.#shadows, this.#bodies, this.#waves);
  }

  /**
   * @param {object} view  of Scene.draw
   * @param {{person: object, self: boolean, inEarshot?: boolean, hovered: boolean, opacity: number}[]} figures  whoever
   *   stands behind first
   */
  draw(view, figures) {
    const { camera, colours, now, still, talking } = view;
    const { size } = figureMeasures(camera);
    if (!this.#sheet) this.#paint(view);
    for (const pool of [this.#shadows, this.#bodies, this.#waves]) pool.begin();
    for (const figure of figures) {
      const { person, self, inEarshot, hovered, opacity } = figure;
      const { x, y } = camera.toScreen(person);
      const near = self || inEarshot;
      const put = (pool, part, middle) => {
        const sprite = pool.next(part);
        sprite.anchor.copyFrom(middle);
        sprite.scale.set(size);
        sprite.position.set(x, y);
        return sprite;
      };
      const shadow = put(this.#shadows, this.#sheet.shadow, { x: 0.5, y: 0.5 });
      shadow.tint = near ? colours.accent : colours.ink;
      shadow.alpha = opacity * (near ? 0.34 : 0.18);
      if (hovered) put(this.#shadows, this.#sheet.ring, { x: 0.5, y: 0.5 }).tint = colours.accent;
      const stride = person.moving && !still ? Math.sin(now / STRIDE_MS + hueOf(person.id)) : 0;
      const body = put(this.#bodies, this.#part(hueOf(person.id), stride, Math.cos(person.heading)), FEET);
      body.alpha = opacity;
      if (talking.has(person.id)) {
        const waves = put(this.#waves, this.#sheet.waves, { x: 0, y: 1 });
        waves.position.set(x + 9 * size, y - 26 * size);
        waves.tint = colours.good;
        waves.alpha = still ? 1 : 0.7 + 0.3 * Math.sin(now / WAVE_MS);
      }
    }
    for (const pool of [this.#shadows, this.#bodies, this.#waves]) pool.end();
  }

  /** Lets go of the sheet: colours or the screen's density are others now. */
  repaint() {
    if (!this.#sheet) return;
    for (const pool of [this.#shadows, this.#bodies, this.#waves]) {
      pool.begin();
      pool.end();
    }
    this.#sheet.whole.destroy(true);
    this.#sheet = null;
  }

  #part(hue, stride, ahead) {
    const step = STRIDES.indexOf(Math.round(stride * 2) / 2);
    const look = ahead < -0.38 ? 0 : ahead > 0.38 ? 2 : 1;
    return this.#parts[(hue * STRIDES.length + step) * LOOKS.length + look];
  }

  #paint({ colours, density }) {
    const columns = STRIDES.length * LOOKS.length;
    const grown = density * LARGEST;
    const bottom = colours.hues.length * CELL.height;
    const whole = painted(columns * CELL.width, bottom + SHADOW.height + WAVES.height, grown, (context) => {
      colours.hues.forEach((hue, row) => {
        for (const [step, stride] of STRIDES.entries()) {
          for (const [look, lean] of LOOKS.entries()) {
            context.save();
            context.translate((step * LOOKS.length + look) * CELL.width + CELL.feet.x, row * CELL.height + CELL.feet.y);
            paintBody(context, colours, hue, stride, lean);
            context.restore();
          }
        }
      });
      context.translate(0, bottom);
      paintShadow(context, false);
      context.translate(SHADOW.width + 4, 0);
      paintShadow(context, true);
      context.translate(SHADOW.width + 4, 0);
      paintWaves(context);
    });
    this.#parts = colours.hues.flatMap((_, row) => Array.from({ length: columns }, (__, column) =>
      partOf(whole, column * CELL.width, row * CELL.height, CELL.width, CELL.height)));
    const shadow = (place) => partOf(whole, place * (SHADOW.width + 4), bottom, SHADOW.width, SHADOW.height);
    this.#sheet = {
      whole,
      shadow: shadow(0),
      ring: shadow(1),
      waves: partOf(whole, 2 * (SHADOW.width + 4), bottom, WAVES.width, WAVES.height),
    };
  }
}

const FEET = { x: CELL.feet.x / CELL.width, y: CELL.feet.y / CELL.height };

/** White, to be tinted: a soft spot, or a ring around one. */
function paintShadow(context, ring) {
  context.fillStyle = '#fff';
  context.strokeStyle = '#fff';
  context.lineWidth = 1.6;
  const inset = ring ? 1 : 0;
  context.beginPath();
  context.ellipse(SHADOW.width / 2, SHADOW.height / 2, SHADOW.width / 2 - inset, SHADOW.height / 2 - inset, 0, 0, 2 * Math.PI);
  if (ring) context.stroke();
  else context.fill();
}

/** White, to be tinted: three bows that go out from a mouth. */
function paintWaves(context) {
  context.strokeStyle = '#fff';
  context.lineWidth = 2;
  context.lineCap = 'round';
  for (const radius of [5, 10, 15]) {
    context.beginPath();
    context.arc(1, WAVES.height - 2, radius, -1.25, -0.25);
    context.stroke();
  }
}

function paintBody(context, colours, hue, stride, lean) {
  const lift = Math.abs(stride) * 2;
  context.strokeStyle = colours.ink;
  context.lineWidth = 3;
  context.lineCap = 'round';
  context.beginPath();
  context.moveTo(-3, -9);
  context.lineTo(-3.5 + stride * 3, -1);
  context.moveTo(3, -9);
  context.lineTo(3.5 - stride * 3, -1);
  context.stroke();

  context.translate(0, -lift);
  context.fillStyle = hue;
  context.strokeStyle = colours.panel;
  context.lineWidth = 2;
  context.beginPath();
  context.roundRect(-9, -27, 18, 20, [9, 9, 5, 5]);
  context.fill();
  context.stroke();
  context.beginPath();
  context.arc(0, -32, HEAD, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
  context.fillStyle = colours.onHue;
  for (const side of [-2.6, 2.6]) {
    context.beginPath();
    context.arc(side + lean, -32.5, 1.3, 0, 2 * Math.PI);
    context.fill();
  }
}
