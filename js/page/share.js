/** How many of the samples behind an answer lie in a part of it: by its points, of texts, which have few, by time. */

/** An answer as the whole that parts are taken of: {points, samples, changes, span: from its first sample to `until`}. */
export function weighed({ t, points, samples, changes }, from, until) {
  const first = t.length ? t[0] : from;
  return { points, samples, changes, span: [first, Math.max(first, t.length ? t.at(-1) : first, until)] };
}

/** What of a span lies between two times. */
export function between([a, b], from, to) {
  const first = Math.min(b, Math.max(a, from));
  return [first, Math.max(first, Math.min(b, to))];
}

/** The part of a whole (or of itself) that a tile has between two times, where it has so many points; 0 to 1. */
export function part(tile, from, to, points, whole = tile) {
  if (!whole.changes) return whole.points ? points / whole.points : 0;
  const [a, b] = between(tile.span, from, to);
  return length(whole.span) ? (b - a) / length(whole.span) : Number(points > 0);
}

function length([a, b]) {
  return b - a;
}
