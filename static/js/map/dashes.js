// Where the dashes of a dashed line around a box are. Pure.

const MOST = 600; // around one box; the gaps of a larger one grow

/**
 * @param {{x: number, y: number, width: number, height: number}} rect  pixels @param {number} corner  its radius
 * @param {{length: number, gap: number}} dash @param {number} offset  by which they have walked on, in pixels
 * @param {{width: number, height: number}} view  nothing is placed outside of it
 * @param {(x: number, y: number, angle: number) => void} place  a dash's middle, its angle in radians
 */
export function placeDashes(rect, corner, dash, offset, view, place) {
  const { x, y, width, height } = rect;
  const [across, down, bend] = [width - 2 * corner, height - 2 * corner, (corner * Math.PI) / 2];
  const around = 2 * (across + down) + 4 * bend;
  const count = Math.max(4, Math.min(MOST, Math.round(around / (dash.length + dash.gap))));
  const sides = [
    { long: across, x: x + corner, y, angle: 0 },
    { long: down, x: x + width, y: y + corner, angle: Math.PI / 2 },
    { long: across, x: x + width - corner, y: y + height, angle: Math.PI },
    { long: down, x, y: y + height - corner, angle: -Math.PI / 2 },
  ];
  for (let index = 0; index < count; index++) {
    let way = ((((index / count) * around + offset) % around) + around) % around;
    for (const side of sides) {
      if (way < side.long) {
        put(side.x + Math.cos(side.angle) * way, side.y + Math.sin(side.angle) * way, side.angle);
        break;
      }
      way -= side.long;
      if (way < bend) {
        // The corner's middle lies a radius to the right of where the side ends.
        const right = side.angle + Math.PI / 2;
        const turned = side.angle + way / Math.max(corner, 1);
        const middleX = side.x + Math.cos(side.angle) * side.long + Math.cos(right) * corner;
        const middleY = side.y + Math.sin(side.angle) * side.long + Math.sin(right) * corner;
        put(middleX + Math.cos(turned - Math.PI / 2) * corner, middleY + Math.sin(turned - Math.PI / 2) * corner, turned);
        break;
      }
      way -= bend;
    }
  }

  function put(left, top, angle) {
    if (left > -dash.length && top > -dash.length && left < view.width + dash.length && top < view.height + dash.length) place(left, top, angle);
  }
}
