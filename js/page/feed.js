/** Keeps the traces of one node's chosen fields filled for the view on the screen, with one question at a time. */

import { levelOf, tileEdge, tileOf, widthOf } from "./grid.js";
import { Pace } from "./pace.js";
import { pointsOf } from "./points.js";
import { Trace } from "./trace.js";

const POLL = 5000; // ms between questions to nodes that publish nothing live, at least
const IDLE = 60e3; // and at most
const AGAIN = 5000; // ms after which what was not final, or what failed, is asked anew
const LATE = 1000; // ms by which a sample may come late
const SOON = 300; // ms
const EDGE = 0.02; // parts of the screen beyond its edges: lines go on to them
const SPARE = 0.002; // ms: times at the door are exact to the microsecond
const OPEN_END = 9.2e12; // ms that are not reached
const MOST = 4; // live samples a pixel after which bins are asked in their place

export class Feed {
  /**
   * @param shared {client, tiles, turns: of this node}  @param node
   * @param lines [{field, all: {fields, timelines} of the node, publishes: whether it does so live}]  @param onChange () => void
   */
  constructor(shared, node, lines, onChange) {
    const { all: about } = lines[0];
    const fields = lines.map((line) => line.field);
    Object.assign(this, shared, { node, lines, fields, about, onChange });
    this.traces = new Map(fields.map((field) => [field, new Trace(about.fields[field]?.type, this.interval(field))]));
    this.pace = new Pace(Object.fromEntries(fields.map((field) => [this.timeline(field), about.timelines[this.timeline(field)]?.interval])));
    this.view = null;
    this.problem = null;
    this.away = null; // a sentence while the node is away
    this.busy = false;
    this.stopLive = null;
    this.drawn = () => {};
  }

  get publishes() {
    return this.lines.every((line) => line.publishes);
  }

  timeline(field) {
    return this.about.fields[field]?.timeline;
  }

  /** Usual ms between samples of a field, or null. */
  interval(field) {
    const interval = this.about.timelines[this.timeline(field)]?.interval;
    return interval ? interval * 1000 : null;
  }

  key(field) {
    return `${this.node}\n${field}`;
  }

  get level() {
    return levelOf(this.view.span, this.pixels);
  }

  /** Fill the traces for this view, now and as long as it is shown. */
  show(view, pixels) {
    Object.assign(this, { view, pixels });
    this.follow();
    this.pump();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.unfollow();
    this.drawn();
  }

  // live, frame by frame

  /** Take live frames where the view is live and can show them. */
  follow() {
    const { view, pixels, client, turns } = this;
    const frames = view.live && this.publishes && !this.pace.decide(view.span, pixels, Date.now());
    if (!frames) return this.unfollow();
    if (this.stopLive) return;
    const options = { last: 1, maxPoints: 2 * pixels, data: (...asked) => turns.take(() => client.data(...asked)) };
    this.stopLive = client.live(this.node, this.fields, options, (answer, about) => this.came(answer, about), (problem) => this.fail(problem));
  }

  unfollow() {
    this.stopLive?.();
    this.stopLive = null;
    for (const { tail } of this.traces.values()) tail.end();
  }

  came(answer, { history }) {
    const now = Date.now();
    const { view, pixels, pace } = this;
    let news = history;
    for (const [field, trace] of this.traces) {
      trace.tail.append(answer.series(field), trace.interval);
      const long = trace.tail.t.length > MOST * pixels;
      if (history || long) trace.tail.begin(now);
      trace.renew();
      news ||= long;
    }
    for (const { of, t } of history ? [] : Object.values(answer.axes)) pace.came(of, t.length, now);
    if (pace.decide(view.span, pixels, now)) this.follow();
    if (news || !this.stopLive) this.pump();
    this.onChange();
  }

  // questions

  /** Ask for what the view needs until nothing is missing, then rest for as long as nothing new can be there. */
  async pump() {
    if (this.pumping || this.stopped) return;
    if (!this.wanted(Date.now())) return this.rest();
    this.pumping = true;
    clearTimeout(this.timer);
    try {
      while (await this.turns.take(() => this.ask(this.wanted(Date.now())))) await this.drawing();
      this.rest();
    } catch (problem) {
      this.fail(problem);
      this.rest(this.away ? Infinity : AGAIN);
    } finally {
      this.pumping = false;
    }
  }

  /** The next question: {level, fields, from, to, missing: whether a part was never asked, open: up to now}, or null. */
  wanted(now) {
    if (this.stopped || !this.view) return null;
    const { view, level } = this;
    const [from, to] = view.range(now);
    const [first, last] = [Math.max(1, from - EDGE * view.span), to + EDGE * view.span];
    const out = { level, fields: [], from: Infinity, to: -Infinity, missing: false, open: view.live };
    for (const [field, trace] of this.traces) {
      const known = Math.min(now, trace.tail.begun); // live samples tell of the rest
      const need = this.tiles.need(this.key(field), level, first, last, known, (tile) => this.stale(tile, trace, to, now));
      if (!need) continue;
      out.fields.push(field);
      out.from = Math.min(out.from, need.from);
      out.to = Math.max(out.to, need.to);
      out.missing ||= need.missing;
    }
    return out.fields.length ? out : null;
  }

  /** Whether to ask anew for what was not final in a tile. */
  stale(tile, { tail }, to, now) {
    const since = now - tile.asked;
    if (!this.view.live) return since > AGAIN || (since > SOON && tile.asked < Math.min(tile.end, to) + LATE);
    return tail.begun < Infinity ? tile.asked < tail.begun : since >= this.pause();
  }

  pause() {
    const width = widthOf(this.level);
    if (this.publishes && !this.away) return this.pace.pause(this.view.span, width);
    return Math.max(POLL, Math.min(IDLE, width));
  }

  /** Put what is answered into the tiles; whether there was a question. */
  async ask(question) {
    if (!question) return false;
    const { level, fields, from, to, missing, open } = question;
    const asked = Date.now();
    const final = new Map(this.tiles.final); // as known before: what is asked afterwards is complete before it
    const end = open ? OPEN_END : to + SPARE;
    this.busy = missing;
    if (missing) this.onChange();
    const answer = await this.client.data(this.node, fields, Math.max(1, from - SPARE), end, { bin: widthOf(level), reduce: "minmax" });
    for (const field of fields) this.put(field, answer, question, { asked, label: answer.label, final });
    this.asked = { answer, asked };
    this.problem = null;
    this.busy = false;
    this.onChange();
    return true;
  }

  put(field, answer, { level, from, to, open }, { asked, label, final }) {
    const series = answer.series(field);
    const trace = this.traces.get(field);
    const timeline = `${this.node}\n${this.timeline(field)}`;
    const until = Math.max(series.axis?.finalizedUntil ?? -Infinity, final.get(timeline) ?? -Infinity);
    const last = series.t.length && open ? tileEdge(level, tileOf(level, series.t.at(-1)) + 1) : to;
    const points = pointsOf(series, trace.step, widthOf(level));
    this.tiles.put(this.key(field), level, from, Math.max(to, last), points, { asked, label, until, interval: trace.step });
    this.tiles.final.set(timeline, Math.max(until, this.tiles.final.get(timeline) ?? -Infinity));
    trace.tail.trim(series.axis?.finalizedUntil ?? -Infinity, asked);
    trace.renew();
  }

  /** Where one field of a timeline has many samples at a time, all have: a text that never changes does not show it. */
  records() {
    const entries = [...this.traces];
    const timelines = new Set(entries.filter(([, trace]) => trace.crowded).map(([field]) => this.timeline(field)));
    for (const [field, trace] of entries) trace.records = timelines.has(this.timeline(field));
  }

  /** Resolves when what was answered is drawn: a page that is slow, or not looked at, asks the less. */
  async drawing() {
    await new Promise((resolve) => (this.drawn = resolve));
    this.pace.answered(this.asked.answer, Date.now() - this.asked.asked);
    if (this.view.live) this.follow();
  }

  /** Look again when there may be something new. */
  rest(pause = null) {
    clearTimeout(this.timer);
    const { view } = this;
    const recent = view && !view.live && Date.now() - view.end < 2 * LATE;
    const followed = [...this.traces.values()].every(({ tail }) => tail.begun < Infinity);
    const wait = pause ?? (recent ? LATE : view?.live && !followed ? this.pause() : null);
    if (wait !== null && wait < Infinity && !this.stopped) this.timer = setTimeout(() => this.pump(), wait);
  }

  fail(problem) {
    this.problem = problem.message;
    this.busy = false;
    this.onChange();
  }

  // drawing

  /** Have the traces ready for what is drawn next. */
  draw([from, to]) {
    if (!this.view) return;
    for (const [field, trace] of this.traces) trace.show(this.tiles, this.key(field), this.level, from, to);
    this.records();
    this.pace.drawn();
  }

  /** Take over the live samples of another feed, to be shown until the node has answered. */
  adopt(other) {
    for (const [field, trace] of other.traces) if (this.traces.has(field)) this.traces.get(field).tail = trace.tail;
    this.away = other.away;
  }

  /** The node came or went: what is known of it may not be all that there is now. */
  doubt() {
    for (const field of this.fields) this.tiles.doubt(this.key(field));
    for (const field of this.fields) this.tiles.final.delete(`${this.node}\n${this.timeline(field)}`);
  }
}
