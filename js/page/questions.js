/** What a view needs of a node and is not known yet: found, asked, put into the tiles. */

import { tileEdge, tileOf, widthOf } from "./grid.js";
import { pointsOf } from "./points.js";

const AGAIN = 5000; // ms after which what was not final is asked anew
const LATE = 1000; // ms by which a sample may come late
const SOON = 300; // ms
const EDGE = 0.02; // parts of the screen beyond its edges: lines go on to them
const SPARE = 0.002; // ms: times at the door are exact to the microsecond
const OPEN_END = 9.2e12; // ms that are not reached

export class Questions {
  /** @param shared {client, tiles}  @param node  @param about {fields, timelines} of the node  @param traces {field: Trace} */
  constructor({ client, tiles }, node, about, traces) {
    Object.assign(this, { client, tiles, node, about, traces });
  }

  /** The name under which a field is kept. */
  key(field) {
    return `${this.node}\n${field}`;
  }

  timeline(field) {
    return `${this.node}\n${this.about.fields[field]?.timeline}`;
  }

  /**
   * The next question of a view at this level: {level, fields, from, to, missing: whether a part was never asked, open: up
   * to now}, or null. While live, what was not closed is asked anew after `pause` ms, unless live samples tell of it.
   */
  next(view, level, now, pause) {
    const [from, to] = view.range(now);
    const [first, last] = [Math.max(1, from - EDGE * view.span), to + EDGE * view.span];
    const out = { level, fields: [], from: Infinity, to: -Infinity, missing: false, open: view.live };
    for (const [field, { tail }] of this.traces) {
      const until = Math.min(now, tail.begun);
      const need = this.tiles.need(this.key(field), level, first, last, until, (tile) => stale(tile, view, tail, now, pause));
      if (!need) continue;
      out.fields.push(field);
      out.from = Math.min(out.from, need.from);
      out.to = Math.max(out.to, need.to);
      out.missing ||= need.missing;
    }
    return out.fields.length ? out : null;
  }

  /** Ask, and put the answer into the tiles; returns it. */
  async ask({ level, fields, from, to, open }) {
    const asked = Date.now();
    const final = new Map(this.tiles.final); // as known before: what is asked afterwards is complete before it
    const options = { bin: widthOf(level), reduce: "minmax" };
    const answer = await this.client.data(this.node, fields, Math.max(1, from - SPARE), open ? OPEN_END : to + SPARE, options);
    for (const field of fields) this.put(field, answer, { level, from, to, open }, { asked, label: answer.label, final });
    return answer;
  }

  /** Let go of all that was answered. */
  forget() {
    for (const field of this.traces.keys()) {
      this.tiles.forget(this.key(field));
      this.tiles.final.delete(this.timeline(field));
    }
  }

  put(field, answer, { level, from, to, open }, { asked, label, final }) {
    const series = answer.series(field);
    const trace = this.traces.get(field);
    const timeline = this.timeline(field);
    const until = Math.max(series.axis?.finalizedUntil ?? -Infinity, final.get(timeline) ?? -Infinity);
    const ahead = series.t.length && open ? tileEdge(level, tileOf(level, series.t.at(-1)) + 1) : to; // of our clock
    const points = pointsOf(series, trace.step, widthOf(level));
    this.tiles.put(this.key(field), level, from, Math.max(to, ahead), points, { asked, label, until, interval: trace.step });
    this.tiles.final.set(timeline, Math.max(until, this.tiles.final.get(timeline) ?? -Infinity));
    trace.tail.trim(series.axis?.finalizedUntil ?? -Infinity, asked);
    trace.renew();
  }

  /** The node came or went: what is known of it may not be all that there is now. */
  doubt() {
    for (const field of this.traces.keys()) {
      this.tiles.doubt(this.key(field));
      this.tiles.final.delete(this.timeline(field));
    }
  }
}

/** Whether a view ended so short a time ago that samples of it may still come. */
export function isRecent(view, now) {
  return !view.live && now - view.end < 2 * LATE;
}

/** Whether to ask anew for what was not final in a tile. */
function stale(tile, view, tail, now, pause) {
  const since = now - tile.asked;
  if (view.live) return tail.begun < Infinity ? tile.asked < tail.begun : since >= pause;
  return since > AGAIN || (since > SOON && tile.asked < Math.min(tile.end, view.end) + LATE);
}
