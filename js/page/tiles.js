/** What is known of each field at each width of bins, in tiles; bounded, what was not looked at for longest goes first. */

import { edge, binOf, lowerBound, tileEdge, tileOf, widthOf } from "./grid.js";
import { Line, apart, countPoints } from "./points.js";
import { between, part, weighed } from "./share.js";

const MOST = 2e6; // points that are kept, 16 bytes each
const TILE_WEIGHT = 30; // points that a tile weighs of itself
const ROOM = 0.8; // of what is kept that stays when there is too much

export class Tiles {
  constructor(most = MOST) {
    this.most = most;
    this.weight = 0;
    this.fields = new Map(); // key of a field -> level -> number of a tile -> tile
    this.versions = new Map(); // key of a field -> how often it changed
    this.final = new Map(); // timeline -> all before is final, ms
    this.moment = 0; // counts what is looked at
  }

  /** Tiles of a field: Map of level -> Map of number -> tile. */
  of(key) {
    return this.fields.get(key) ?? EMPTY;
  }

  /** Which version of a field this is. */
  version(key) {
    return this.versions.get(key) ?? 0;
  }

  /** Mark a tile as looked at. */
  use(tile) {
    tile.used = this.moment;
  }

  /**
   * Put in what was answered for [from, to), both edges of bins, `from` that of a tile that is not there or of the first
   * bin of one that was not closed.
   * @param points what pointsOf gives  @param about {asked: when, ms; label; until: all before is final, ms; interval}
   */
  put(key, level, from, to, points, about) {
    const tiles = this.level(key, level);
    const whole = weighed(points, from, Math.min(to, about.until));
    this.versions.set(key, this.version(key) + 1);
    for (let n = tileOf(level, from); tileEdge(level, n) < to; n++) {
      const old = tiles.get(n);
      const late = cut(points, whole, level, n, from, to, about);
      const tile = old && late.from > old.start ? joined(old, late, level, about.interval) : late;
      this.weight += weigh(tile) - (old ? weigh(old) : 0);
      tile.used = this.moment;
      tiles.set(n, tile);
    }
    if (this.weight > this.most) this.evict();
  }

  /**
   * The stretch that has to be asked for, so that all of the given one is known: {from, to, missing: whether there are
   * tiles of the past in it that were never asked for}, or null. `stale(tile)` says of a tile that is not closed whether
   * to ask anew; at `now` the future begins.
   */
  need(key, level, from, to, now, stale) {
    const tiles = this.of(key).get(level);
    let need = null;
    for (let n = tileOf(level, from); tileEdge(level, n) < Math.min(to, now); n++) {
      const tile = tiles?.get(n);
      if (tile && (tile.known >= tile.end || !stale(tile))) continue;
      const end = tileEdge(level, n + 1);
      need ??= { from: tile ? tile.known : tileEdge(level, n), to: end, missing: false };
      need.to = end;
      need.missing ||= !tile && end < now;
    }
    return need;
  }

  /** What is known of a field may be more than was answered: all of it is to be asked anew when it is looked at. */
  doubt(key) {
    for (const tiles of this.of(key).values()) for (const tile of tiles.values()) Object.assign(tile, { known: tile.start, asked: -Infinity });
  }

  /** Let go of a field. */
  forget(key) {
    for (const tiles of this.of(key).values()) for (const tile of tiles.values()) this.weight -= weigh(tile);
    this.fields.delete(key);
    this.versions.set(key, this.version(key) + 1);
  }

  level(key, level) {
    if (!this.fields.has(key)) this.fields.set(key, new Map());
    const levels = this.fields.get(key);
    if (!levels.has(level)) levels.set(level, new Map());
    return levels.get(level);
  }

  /** Let go of what was not looked at for longest; what is on the screen stays. */
  evict() {
    const all = [];
    for (const levels of this.fields.values()) for (const tiles of levels.values()) for (const [n, tile] of tiles) all.push([tile.used, tiles, n, tile]);
    all.sort(([a], [b]) => a - b);
    for (const [used, tiles, n, tile] of all) {
      if (this.weight <= this.most * ROOM || used === this.moment) return;
      this.weight -= weigh(tile);
      tiles.delete(n);
    }
  }
}

const EMPTY = new Map();

function weigh(tile) {
  return tile.t.length + TILE_WEIGHT;
}

/** What an answer for [from, to) says of one tile: `known` is closed before, `reach` is how far anything is known. */
function cut(points, whole, level, n, from, to, { asked, label, until }) {
  const [start, end] = [tileEdge(level, n), tileEdge(level, n + 1)];
  const [first, last] = [Math.max(start, from), Math.min(end, to)];
  const [i, k] = [lowerBound(points.t, first), lowerBound(points.t, last)];
  const t = points.t.slice(i, k);
  const v = points.v.slice(i, k);
  const closed = until >= end;
  const tile = {
    start, end, t, v, label, asked, level, whole,
    from: first,
    points: countPoints({ v }),
    changes: points.changes,
    span: between(whole.span, first, last),
    raw: points.raw,
    records: points.records,
    gaps: points.gaps.filter(([a, b]) => b > first && a < last),
    known: closed ? end : edge(level, binOf(level, Math.max(first, Math.min(end, until)))),
    reach: closed ? end : Math.max(t.length ? t.at(-1) : start, Math.min(end, until)),
  };
  tile.samples = whole.samples * part(tile, first, last, tile.points, whole);
  return tile;
}

/** A tile of which the later bins were asked anew. */
function joined(old, late, level, interval) {
  const keep = lowerBound(old.t, late.from);
  const kept = countPoints(old, 0, keep);
  const line = new Line((keep ? old : late).v instanceof Float64Array, keep + late.t.length + 1);
  line.add(old, 0, keep);
  if (keep && late.t.length && apart(old.t[keep - 1], late.t[0], old.records ? null : interval, widthOf(level))) line.breakAt((old.t[keep - 1] + late.t[0]) / 2);
  line.add(late, 0, late.t.length);
  const { t, v } = line.done();
  return {
    ...late, t, v,
    from: old.from,
    points: kept + late.points,
    span: late.points ? [old.points ? old.span[0] : late.span[0], late.span[1]] : old.span,
    samples: late.samples + old.samples * part(old, old.start, late.from, kept),
    raw: old.raw && late.raw,
    records: old.records || late.records,
    gaps: [...old.gaps.filter(([, b]) => b <= late.from), ...late.gaps],
    whole: kept ? null : late.whole,
    known: Math.max(late.known, late.from),
    reach: Math.max(old.reach, late.reach),
  };
}
