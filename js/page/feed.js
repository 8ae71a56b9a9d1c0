/** Keeps the traces of one node's chosen fields filled for the view on the screen, with one question at a time. */

import { levelOf, widthOf } from "./grid.js";
import { Pace } from "./pace.js";
import { Questions, isRecent } from "./questions.js";
import { Trace } from "./trace.js";

const POLL = 5000; // ms between questions to nodes that publish nothing live, at least
const IDLE = 60e3; // and at most
const AGAIN = 5000; // ms after which what failed is asked anew
const SOON = 1000; // ms after which a view that ended just now is looked at again
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
    this.questions = new Questions(shared, node, about, this.traces);
    this.pace = new Pace(Object.fromEntries(fields.map((field) => [this.timeline(field), about.timelines[this.timeline(field)]?.interval])));
    this.view = null;
    this.problem = null;
    this.away = null; // a sentence while the node is away
    this.hidden = false; // whether the node is not listed for whoever looks
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
    const frames = view.live && !this.hidden && this.publishes && !this.pace.decide(view.span, pixels, Date.now());
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
    if (!this.next() && !this.unread().length) return this.rest();
    this.pumping = true;
    clearTimeout(this.timer);
    try {
      do {
        while (await this.turns.take(() => this.ask(this.next()))) await this.drawing();
        await this.turns.take(() => this.read(this.unread()));
      } while (this.next() || this.unread().length);
      this.rest();
    } catch (problem) {
      this.fail(problem);
      this.rest(this.away ? Infinity : AGAIN);
    } finally {
      this.pumping = false;
    }
  }

  /** What is to be asked now, or null. */
  next() {
    return this.stopped || this.hidden || !this.view ? null : this.questions.next(this.view, this.level, Date.now(), this.pause());
  }

  /** ms between questions for what is new while live. */
  pause() {
    const width = widthOf(this.level);
    if (this.publishes && !this.away) return this.pace.pause(this.view.span, width);
    return Math.max(POLL, Math.min(IDLE, width));
  }

  /** Whether there was a question, and it was answered. */
  async ask(question) {
    if (!question) return false;
    const asked = Date.now();
    this.busy = question.missing;
    if (this.busy) this.onChange();
    const answer = await this.questions.ask(question);
    this.answered = { answer, asked };
    this.problem = null;
    this.busy = false;
    this.onChange();
    return true;
  }

  /** Fields of which the newest sample before the end of the view is to be asked for, or asked for anew. */
  unread() {
    if (this.stopped || this.hidden || !this.view) return [];
    const [now, end] = [Date.now(), this.view.end ?? Infinity];
    return this.fields.filter((field) => {
      const { newest, tail } = this.traces.get(field);
      if (newest?.end !== end) return true;
      if (this.view.live) return tail.begun === Infinity && now - newest.asked >= this.pause();
      return newest.asked < end + SOON && now - newest.asked >= SOON;
    });
  }

  /** Ask for the newest samples: neither the extremes of bins nor the changes of a text tell of them. */
  async read(fields) {
    if (!fields.length) return;
    const [asked, end] = [Date.now(), this.view.end ?? Infinity];
    const answer = await this.client.sample(this.node, fields, end === Infinity ? 0 : end).catch((problem) => {
      if (problem.kind !== "no_such_procedure") throw problem;
      return null; // it is away, or answers in the old way, with all its samples
    });
    for (const field of fields) this.traces.get(field).told(answer && answer.series(field), end, asked);
    this.onChange();
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
    this.pace.answered(this.answered.answer, Date.now() - this.answered.asked);
    if (this.view.live) this.follow();
  }

  /** Look again when there may be something new. */
  rest(pause = null) {
    clearTimeout(this.timer);
    const { view } = this;
    const followed = [...this.traces.values()].every(({ tail }) => tail.begun < Infinity);
    const usual = isRecent(view, Date.now()) ? SOON : view.live && !followed ? this.pause() : Infinity;
    const wait = pause ?? usual;
    if (wait < Infinity && !this.stopped) this.timer = setTimeout(() => this.pump(), wait);
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
    for (const [field, trace] of this.traces) trace.show(this.tiles, this.questions.key(field), this.level, from, to);
    this.records();
    this.pace.drawn();
  }

  /** Take over the live samples of another feed, to be shown until the node has answered. */
  adopt(other) {
    for (const [field, { tail, newest }] of other.traces) if (this.traces.has(field)) Object.assign(this.traces.get(field), { tail, newest });
    this.away = other.away;
    this.hidden = other.hidden;
  }

  /** Whether the node is listed: what may not be seen any more is let go, and asked for when it may be again. */
  list(listed) {
    if (this.hidden === !listed) return;
    this.hidden = !listed;
    if (this.hidden) {
      this.unfollow();
      this.questions.forget();
      for (const trace of this.traces.values()) trace.forget();
    } else if (this.view) this.show(this.view, this.pixels);
  }

  /** The node came or went: what is known of it may not be all that there is now. */
  doubt() {
    this.questions.doubt();
    for (const { newest } of this.traces.values()) if (newest) newest.asked = -Infinity;
  }
}
