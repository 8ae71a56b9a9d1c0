/** Keeps the traces of one node's chosen fields filled for the view on the screen, live or fixed. */

import { Trace } from "./trace.js";

const POLL = 5000; // ms between questions to nodes that publish nothing live
const REREAD = 0.05; // part of the screen after which a reduced history is asked anew
const SOONEST = 20e3; // ms
const MOST = 4; // points per pixel after which a history that was not reduced is

export class Feed {
  /** @param client  @param node  @param fields names  @param about {fields, timelines} of the node  @param onChange () => void */
  constructor(client, node, fields, about, publishes, onChange) {
    Object.assign(this, { client, node, fields, about, publishes, onChange });
    this.traces = new Map(fields.map((field) => [field, new Trace()]));
    this.label = null;
    this.problem = null;
    this.away = null; // a sentence while the node is away
    this.busy = false;
    this.asked = 0;
    this.stopLive = null;
  }

  /** Fill the traces for this view. */
  show(view, pixels, now) {
    this.view = view;
    this.pixels = pixels;
    this.stop();
    this.busy = true;
    if (view.live) this.goLive();
    else this.ask(...view.range(now));
  }

  stop() {
    this.asked++;
    this.stopLive?.();
    this.stopLive = null;
  }

  goLive() {
    const poll = this.publishes ? undefined : Math.max(POLL, this.view.span / this.pixels);
    const options = { last: this.view.span * 1.02, maxPoints: 2 * this.pixels, poll };
    this.stopLive = this.client.live(
      this.node,
      this.fields,
      options,
      (answer, { history }) => (history ? this.replace(answer) : this.append(answer)),
      (problem) => this.fail(problem),
    );
  }

  async ask(from, to) {
    const asked = this.asked;
    const margin = (to - from) * 0.02; // lines go on to the edges of the screen
    try {
      const options = { maxPoints: 2 * this.pixels, reduce: "minmax" };
      const answer = await this.client.data(this.node, this.fields, Math.max(1, from - margin), to + margin, options);
      if (asked === this.asked) this.replace(answer);
    } catch (problem) {
      if (asked === this.asked) this.fail(problem);
    }
  }

  replace(answer) {
    for (const [field, trace] of this.traces) trace.replace(answer.series(field), this.interval(field));
    this.markRecords();
    this.label = answer.label;
    this.answered = Date.now();
    this.settle();
  }

  append(answer) {
    const from = Date.now() - this.view.span * 1.1;
    for (const [field, trace] of this.traces) {
      trace.append(answer.series(field));
      trace.trim(from);
    }
    if (this.stale()) this.show(this.view, this.pixels, Date.now());
    else this.settle();
  }

  /** Where one field of a timeline has many samples at a time, all have: a text that never changes does not show it. */
  markRecords() {
    const traces = [...this.traces.values()];
    const timelines = new Set(traces.filter((trace) => trace.records).map((trace) => trace.axis.of));
    for (const trace of traces) trace.records = timelines.has(trace.axis?.of);
  }

  /** Take over the points of another feed, to be shown until the node has answered. */
  adopt(other) {
    for (const [field, trace] of other.traces) if (this.traces.has(field)) this.traces.set(field, trace);
    this.label = other.label;
    this.away = other.away;
  }

  /** Whether so much was added live that the history should be reduced anew. */
  stale() {
    const reduced = this.label && this.label.method !== "raw";
    if (reduced) return Date.now() - this.answered > Math.max(SOONEST, REREAD * this.view.span);
    return [...this.traces.values()].some((trace) => trace.t.length > MOST * this.pixels);
  }

  fail(problem) {
    this.problem = problem.message;
    this.busy = false;
    this.onChange(this);
  }

  settle() {
    this.problem = null;
    this.busy = false;
    this.onChange(this);
  }

  /** Usual ms between samples of a field, or null. */
  interval(field) {
    const timeline = this.about.timelines[this.about.fields[field]?.timeline];
    return timeline?.interval ? timeline.interval * 1000 : null;
  }
}
