/** What lies behind the points on the screen: how many samples, how they came about, what is missing. */

import { lowerBound, widthOf } from "./grid.js";
import { countPoints } from "./points.js";
import { part } from "./share.js";

const MOST_GAPS = 100; // that an answer lists

/**
 * Of the points of a trace between two times: {points, samples, exact: whether these are counted, else from the density
 * of points, raw: whether all samples are drawn, gaps, most: whether there may be more of them, bin, tier (ms or null),
 * methods, notices, sharper: whether bins of the wanted width are still missing}.
 */
export function summary({ shown, t, v }, from, to) {
  const out = { points: 0, samples: 0, exact: true, raw: true, gaps: 0, most: false, bin: null, tier: null, methods: new Set(), notices: new Set(), sharper: false };
  if (!shown) return out;
  const gaps = new Set();
  const answers = new Map(); // answer -> its samples on the screen
  for (const { tile, first, end, ...span } of shown.pieces) {
    const seen = span.from < to && span.to > from;
    const [i, k] = [Math.max(first, lowerBound(tile.t, from)), Math.min(end, lowerBound(tile.t, to))];
    if (seen) for (const notice of tile.label.notices) out.notices.add(notice);
    for (const [a, b] of tile.gaps) if (b > from && a < to) gaps.add(a);
    if (tile.gaps.length >= MOST_GAPS) out.most = true;
    if (seen && tile.level > shown.level) out.sharper = true;
    const points = k - i === tile.t.length ? tile.points : countPoints(tile, i, k);
    if (points || (tile.changes && seen)) behind(out, tile, points, [from, to], answers);
  }
  for (const [answer, seen] of answers) if (!answer || Math.abs(seen - answer.samples) > 1e-6 * answer.samples) out.exact = false;
  const live = lowerBound(t, to) - Math.max(t.length - shown.live, lowerBound(t, from));
  if (live > 0) out.samples += live;
  out.points = countPoints({ v }, lowerBound(t, from), lowerBound(t, to));
  out.gaps = gaps.size + shown.seams.filter((seam) => seam > from && seam < to).length;
  return out;
}

function behind(out, tile, points, [from, to], answers) {
  if (tile.raw) {
    out.samples += points;
    return;
  }
  const samples = tile.samples * part(tile, from, to, points);
  out.raw = false;
  out.samples += samples;
  answers.set(tile.whole, (answers.get(tile.whole) ?? 0) + samples);
  out.methods.add(tile.label.method);
  out.bin = Math.max(out.bin ?? 0, tile.label.bin ?? widthOf(tile.level));
  out.tier = tile.label.tier === null ? out.tier : Math.max(out.tier ?? 0, tile.label.tier);
}
