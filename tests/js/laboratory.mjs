/** A node with a sample of one field every `step` ms, and a screen that shows it, under a clock that a test turns. */

import { mock } from "node:test";
import { Answer } from "../../js/lib/answer.js";
import { Live } from "../../js/lib/live.js";
import { Feed } from "../../js/page/feed.js";
import { Tiles } from "../../js/page/tiles.js";
import { Turns } from "../../js/page/turns.js";
import { View } from "../../js/page/view.js";

export const NOW = 1.7e12;
export const PIXELS = 1000;

export const settled = () => new Promise((resolve) => setImmediate(resolve));

export class Laboratory {
  questions = []; // that were asked: {from, to, bin, since}
  read = 0; // how often the newest sample was asked for
  unable = null; // why it does not tell the newest sample
  waiting = []; // for their answers, where `slow`
  inFlight = 0;
  most = 0; // questions in flight at once
  slow = false;
  failing = null;
  begun = NOW - 3600e3; // the first sample

  /** @param step ms between samples  @param interval seconds that the node tells */
  constructor(step, { interval = step / 1000, publishes = true } = {}) {
    this.step = step;
    this.node = { begin: () => {}, frame: () => {} };
    const link = { subscribe: async (_, handler) => ((this.handler = handler), () => (this.handler = null)), onState: (tell) => (tell("connected"), () => {}) };
    const client = { link, uris: { live: (name) => name }, data: (...asked) => this.data(...asked), sample: (...asked) => this.sample(...asked) };
    client.live = (...asked) => {
      const live = new Live(client, ...asked);
      live.start();
      return () => live.stop();
    };
    const all = { fields: { x: { type: "number", timeline: "s" } }, timelines: { s: { interval, field: ["x"] } } };
    this.view = new View();
    this.drawing = false;
    this.feed = new Feed({ client, tiles: new Tiles(), turns: new Turns() }, "n", [{ field: "x", all, publishes }], () => (this.drawing = true));
  }

  /** Samples before `to`: their values are their numbers. */
  count(to) {
    return Math.max(0, Math.ceil((to - this.begun) / this.step));
  }

  async data(node, fields, start, end, { bin, since } = {}) {
    this.questions.push({ from: start, to: end, bin, since: since?.s });
    this.inFlight++;
    this.most = Math.max(this.most, this.inFlight);
    if (this.slow) await new Promise((resolve) => this.waiting.push(resolve));
    this.inFlight--;
    if (this.failing) throw this.failing;
    const now = Date.now();
    const to = this.count(Math.min(end, now));
    const from = Math.max(since?.s?.[1] ?? 0, this.count(start > 0 ? start : now + start));
    return this.answer(from, Math.max(from, to), bin);
  }

  /** The newest sample before `t`, ms, 0: now. */
  async sample(node, fields, t) {
    this.read++;
    if (this.unable) throw this.unable;
    const n = this.count((t || Date.now()) + 0.001) - 1;
    return this.answer(Math.max(0, n), n + 1);
  }

  /** Samples [from, to), the least and the greatest of each bin. */
  answer(from, to, bin) {
    const at = (n) => this.begun + n * this.step;
    const kept = [];
    for (let n = from; n < to; n++) {
      const inside = (other) => bin && other >= from && other < to && Math.floor(at(other) / bin) === Math.floor(at(n) / bin);
      if (!inside(n - 1) || !inside(n + 1)) kept.push(n);
    }
    const axis = { t: Float64Array.from(kept, at), of: "s", epoch: "e", seq: to, finalizedUntil: to > from ? at(to - 1) : null, samples: to - from, gaps: [] };
    return new Answer({ "s::x": axis }, { x: { axis: "s::x", values: Float64Array.from(kept) } }, { method: bin ? "minmax" : "raw", bin: bin ?? null, tier: null, notices: [] });
  }

  /** The node publishes all that it has sampled since `from`. */
  publish(from, to = this.count(Date.now())) {
    const t = BigInt64Array.from({ length: to - from }, (_, i) => BigInt(Math.round((this.begun + (from + i) * this.step) * 1e6)));
    const values = Float64Array.from({ length: to - from }, (_, i) => from + i);
    const axis = { t: { dtype: "<i8", data: new Uint8Array(t.buffer) }, epoch: "e", seq: to };
    this.handler?.({ v: 1, timelines: { s: axis }, data: { x: { dtype: "<f8", data: new Uint8Array(values.buffer), timeline: "s" } } });
    return to;
  }

  show(view = this.view) {
    this.view = view;
    this.feed.show(view, PIXELS);
  }

  /** Let the clock go on, drawing 50 times a second unless the page is hidden. */
  async pass(ms, { hidden = false, each = () => {} } = {}) {
    for (let gone = 0; gone < ms; gone += 20) {
      mock.timers.tick(20);
      await each();
      await this.rest(hidden);
    }
  }

  /** Let all happen that can without the clock. */
  async rest(hidden = false) {
    for (let i = 0; i < 6; i++) {
      await settled();
      if (this.drawing && !hidden) this.draw();
    }
  }

  draw() {
    this.drawing = false;
    this.feed.draw(this.view.range(Date.now()));
    this.feed.drawn();
  }

  /** Answer the oldest question that waits. */
  async reply() {
    this.waiting.shift()();
    await this.rest();
  }

  /** The numbers of the samples that are drawn between two times. */
  drawn(from = this.view.range(Date.now())[0], to = Date.now()) {
    this.draw();
    const { t, v } = this.feed.traces.get("x");
    return [...v].filter((value, i) => t[i] >= from && t[i] < to && !Number.isNaN(value));
  }

  /** The numbers of all samples between two times. */
  all(from = this.view.range(Date.now())[0], to = Date.now()) {
    const [first, end] = [this.count(from), this.count(to)];
    return Array.from({ length: end - first }, (_, i) => first + i);
  }
}
