/** What is drawn of one field: the sharpest that is known of its bins, then its live samples. */

import { cover } from "./cover.js";
import { lowerBound, tileOf, widthOf } from "./grid.js";
import { Line, apart, isBreak } from "./points.js";
import { summary } from "./summary.js";
import { Tail } from "./tail.js";

const LEAST = 0.001; // ms: times are not told finer
const AROUND = 0.25; // parts of the screen on both sides that are drawn too, so that a small move needs nothing new

export class Trace {
  t = new Float64Array(0);
  v = [];
  tail = new Tail();
  crowded = false; // many samples at a time
  records = false; // so in this or another field of its timeline: then a mean interval says nothing
  shown = null;
  newest = null; // the newest sample before the end of a view, as the node told: {t, value, end, asked}; t null: none

  /** @param type of the field  @param interval usual ms between samples, or null */
  constructor(type, interval) {
    this.line = new Line(type === "number");
    this.type = type;
    this.usual = interval;
  }

  /** Usual ms between live samples, or null. */
  get interval() {
    return this.records ? null : this.usual;
  }

  /** Usual ms between points: a text is answered by its changes, which come as they like. */
  get step() {
    return this.type === "string" ? null : this.interval;
  }

  /** Let go of all samples. */
  forget() {
    Object.assign(this, { tail: new Tail(), newest: null, crowded: false, records: false, shown: null });
  }

  /** A live sample came. */
  renew() {
    this.shown = null;
  }

  /** Have t and v for [from, to] at this level ready; what was there already is only marked as looked at. */
  show(tiles, key, level, from, to) {
    const { shown } = this;
    const had = shown?.level === level && shown.version === tiles.version(key) && shown.from <= from && shown.to >= to;
    if (!had) this.compose(tiles, key, level, from - AROUND * (to - from), to + AROUND * (to - from));
    for (const { tile } of this.shown.pieces) tiles.use(tile);
  }

  compose(tiles, key, level, from, to) {
    const pieces = [...cover(tiles.of(key), level, from, to)];
    for (const piece of pieces) {
      piece.first = lowerBound(piece.tile.t, piece.from);
      piece.end = lowerBound(piece.tile.t, piece.to);
    }
    if (this.type !== "number" && pieces[0]?.first === 0) backward(pieces, tiles.of(key));
    outward(pieces);
    this.line.clear(pieces.reduce((n, piece) => n + piece.end - piece.first + 1, this.tail.t.length + 1));
    const seams = this.join(pieces);
    const reach = pieces.length ? pieces.at(-1).tile.reach : -Infinity;
    const live = this.follow(reach, seams);
    Object.assign(this, this.line.done());
    this.shown = { level, version: tiles.version(key), from, to, pieces, seams, live };
    this.reach = Math.max(reach, this.t.length ? this.t.at(-1) : -Infinity);
    if (this.t.length) this.crowded = pieces.some(({ tile }) => tile.records);
  }

  /** Lay the pieces end to end; when the line breaks between two of them. */
  join(pieces) {
    const seams = [];
    let before = null;
    for (const { tile, first, end } of pieces) {
      if (end <= first) continue;
      const width = widthOf(Math.max(tile.level, before?.level ?? 0));
      if (before && before.whole !== tile.whole) this.seam(tile.t[first], width, seams);
      this.line.add(tile, first, end);
      before = tile;
    }
    return seams;
  }

  /** Live samples beyond `reach`; how many there are. */
  follow(reach, seams) {
    const { t, v } = this.tail;
    const first = lowerBound(t, reach + LEAST);
    if (first < t.length) this.seam(t[first], 0, seams);
    for (let i = first; i < t.length; i++) {
      if (!isBreak(v[i])) this.line.push(t[i], v[i]);
      else if (v[i] !== null) this.line.breakAt(t[i]);
      else if (i > first) this.line.breakAt(t[i]), seams.push(t[i]);
    }
    return t.length - first;
  }

  seam(next, width, seams) {
    const { last } = this.line;
    if (!apart(last, next, this.step, width)) return;
    this.line.breakAt((last + next) / 2);
    seams.push((last + next) / 2);
  }

  /** What lies behind the points between two times: {points, samples, exact, raw, gaps, bin, tier, methods, sharper}. */
  summary(from, to) {
    return summary(this, from, to);
  }

  /** The last value at or before a time, and when that was; null where there is none. */
  last(to = Infinity) {
    for (let i = lowerBound(this.t, to) - 1; i >= 0; i--) if (!isBreak(this.v[i])) return { t: this.t[i], value: this.v[i] };
    return null;
  }

  /**
   * The newest sample before the end of the view (Infinity: live), {t, value}: as the node told or it came live, or the
   * last point where all samples are drawn. Null where it is not known: the last point of bins is an extreme of them.
   */
  reading(end) {
    const live = end === Infinity ? this.tail.last : null;
    const told = this.newest?.end === end ? this.newest : null;
    if (told && this.ended(told.t, end)) return null;
    if (live && live.t >= (told?.t ?? -Infinity)) return live;
    if (told && told.t !== null) return told;
    const pieces = this.shown?.pieces.filter((piece) => piece.end > piece.first && piece.tile.t[piece.first] < end);
    return pieces?.length && pieces.at(-1).tile.raw ? this.last(end) : null;
  }

  /** Whether a text is missing at the end of the view, though there was one at `t`. */
  ended(t, end) {
    const i = lowerBound(this.t, end) - 1;
    return this.type === "string" && i >= 0 && this.v[i] === null && this.t[i] > t;
  }

  /** The node told of the newest sample before the end of a view: a series of one or of none; null: it cannot. */
  told(series, end, asked) {
    const { t, value } = series ? { t: series.t[0] ?? null, value: series.values[0] } : this.newest?.end === end ? this.newest : { t: null };
    this.newest = { t, value, end, asked };
  }

  /** Until when the points tell what there was, ms, or null. */
  get until() {
    return this.reach > -Infinity ? this.reach : null;
  }
}

/** Lines go on to the edges: one point more on either side, where there is one. */
function outward(pieces) {
  const [left, right] = [pieces[0], pieces.at(-1)];
  if (left?.first) left.first--;
  if (right && right.end < right.tile.t.length) right.end++;
}

/** States last: the point before the first piece, however far back, as long as tile follows upon tile. */
function backward(pieces, levels) {
  const { level, start } = pieces[0].tile;
  const tiles = levels.get(level);
  for (let n = tileOf(level, start) - 1; tiles.has(n); n--) {
    const tile = tiles.get(n);
    const end = tile.t.length;
    if (end) return void pieces.unshift({ tile, from: tile.start, to: tile.end, first: end - 1, end });
  }
}
