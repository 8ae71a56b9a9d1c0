/** Paints lines onto a canvas: every spike of every pixel, breaks where a line breaks, dots where samples are few. */

import { lowerBound } from "./grid.js";
import { isBreak } from "./points.js";

const CROWD = 4; // entries a pixel above which only what differs in a column of pixels is painted
const APART = 12; // pixels between samples from which each has a dot
const DOT = 2; // px
const WIDTH = 1.5; // px
const HAIR = 1; // px: lines of one pixel are painted several times as quickly
const MANY = 8000; // entries on a chart from which its lines are so thin

/**
 * Paint lines {t, v} between two times, each in its colour.
 * @param ctx canvas context  @param x (ms) => canvas pixels  @param y (value) => canvas pixels  @param scale pixels per CSS pixel
 */
export function paintLines(ctx, lines, colours, range, x, y, scale) {
  const spans = lines.map((line) => inSight(line, range));
  const many = spans.reduce((n, [first, end]) => n + end - first, 0) > MANY;
  ctx.lineWidth = (many ? HAIR : WIDTH) * scale;
  ctx.lineJoin = "round";
  lines.forEach((line, i) => {
    ctx.strokeStyle = ctx.fillStyle = colours[i];
    paintLine(ctx, line, spans[i], x(range[1]) - x(range[0]), x, y, scale);
  });
}

/** The entries [first, end) between two times, and one more on either side. */
function inSight({ t }, [from, to]) {
  return [Math.max(0, lowerBound(t, from) - 1), Math.min(t.length, lowerBound(t, to) + 1)];
}

function paintLine(ctx, { t, v }, [first, end], pixels, x, y, scale) {
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
