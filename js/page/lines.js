/** Paints lines onto a canvas: every spike of every pixel, breaks where a line breaks, dots where samples are few. */

import { lowerBound } from "./grid.js";
import { isBreak } from "./points.js";

const CROWD = 4; // entries a pixel above which only what differs in a column of pixels is painted
const APART = 12; // pixels between samples from which each has a dot
const DOT = 2; // px
const WIDTH = 1.5; // px

/**
 * Paint {t, v} between two times.
 * @param ctx canvas context  @param x (ms) => canvas pixels  @param y (value) => canvas pixels  @param scale pixels per CSS pixel
 */
export function paintLine(ctx, { t, v }, [from, to], x, y, colour, scale) {
  const first = Math.max(0, lowerBound(t, from) - 1);
  const end = Math.min(t.length, lowerBound(t, to) + 1);
  const pixels = Math.max(1, x(to) - x(from));
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = WIDTH * scale;
  ctx.lineJoin = ctx.lineCap = "round";
  ctx.beginPath();
  if (end - first > CROWD * pixels) columns(ctx, t, v, first, end, x, y);
  else joined(ctx, t, v, first, end, x, y);
  ctx.stroke();
  dots(ctx, t, v, first, end, x, y, DOT * scale, (end - first) * APART * scale < pixels);
}

function joined(ctx, t, v, first, end, x, y) {
  let pen = false;
  for (let i = first; i < end; i++) {
    if (isBreak(v[i])) pen = false;
    else if (pen) ctx.lineTo(x(t[i]), y(v[i]));
    else ctx.moveTo(x(t[i]), y(v[i])), (pen = true);
  }
}

/** Of each column of pixels its first, least, greatest and last value. */
function columns(ctx, t, v, first, end, x, y) {
  let pen = false;
  for (let i = first; i < end; ) {
    if (isBreak(v[i])) {
      pen = false;
      i++;
      continue;
    }
    const column = Math.round(x(t[i]));
    let [low, high, last] = [v[i], v[i], v[i]];
    const begin = v[i];
    for (i++; i < end && !isBreak(v[i]) && Math.round(x(t[i])) === column; i++) {
      last = v[i];
      if (last < low) low = last;
      if (last > high) high = last;
    }
    if (pen) ctx.lineTo(column, y(begin));
    else ctx.moveTo(column, y(begin));
    for (const value of [low, high, last]) ctx.lineTo(column, y(value));
    pen = true;
  }
}

/** Dots on all samples where they are few, else on those that no line touches. */
function dots(ctx, t, v, first, end, x, y, radius, all) {
  ctx.beginPath();
  for (let i = first; i < end; i++) {
    if (isBreak(v[i])) continue;
    const lonely = (i === 0 || isBreak(v[i - 1])) && (i === t.length - 1 || isBreak(v[i + 1]));
    if (!all && !lonely) continue;
    const [at, height] = [x(t[i]), y(v[i])];
    ctx.moveTo(at + radius, height);
    ctx.arc(at, height, radius, 0, 2 * Math.PI);
  }
  ctx.fill();
}
