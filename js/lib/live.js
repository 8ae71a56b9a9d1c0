/** Live data of one node: history first, then every new sample once, over lost frames, restarts and reconnects. */

import { decodeAnswer } from "./answer.js";
import { Joining } from "./joining.js";

const OPEN_END = 9.2e12; // ms that are not reached: what comes while we ask belongs to the answer
const SLACK = 1; // ms by which a re-read starts early; what was there already is dropped by its sequence
const MOST_WAITING = 10000; // frames; what is dropped beyond is asked for later

export class Live {
  /**
   * @param client Client  @param fields names of fields
   * @param options {last: ms of history, maxPoints, bin, reduce, poll: ask every so many ms as well (for nodes without live
   *   frames), data: asks in place of client.data, for who keeps questions in order}
   * @param onUpdate (answer, {history: boolean}) => void  @param onProblem (SisockError) => void
   */
  constructor(client, node, fields, options, onUpdate, onProblem) {
    Object.assign(this, { client, node, fields, options, onUpdate, onProblem });
    this.joins = new Map();
    this.queue = [];
    this.asking = null;
    this.stopped = false;
    this.unsubscribe = null;
    this.timer = null;
    this.begun = 0; // when the history was answered, ms
  }

  /** Subscribe, then ask for the history; every later reconnect asks for what was missed. */
  async start() {
    const handler = (raw) => this.take(decodeAnswer(raw));
    try {
      this.unsubscribe = await this.client.link.subscribe(this.client.uris.live(this.node), handler, this.node);
    } catch (problem) {
      this.onProblem(problem);
    }
    if (this.stopped) return this.stop();
    this.offState = this.client.link.onState((state) => state === "connected" && this.read());
    if (this.options.poll) this.timer = setInterval(() => this.read(), this.options.poll);
  }

  stop() {
    this.stopped = true;
    clearInterval(this.timer);
    this.offState?.();
    this.unsubscribe?.();
    this.unsubscribe = null;
  }

  /** A live frame came. Where samples before it are missing they are asked for, once. */
  take(frame, asked = false) {
    if (this.asking || !this.begun) return this.wait(frame);
    let fresh = frame.only(this.fields);
    const axes = Object.entries(frame.axes).filter(([, axis]) => this.joins.has(axis.of) || !fresh.empty);
    for (const [key, axis] of axes) {
      const join = this.join(axis.of);
      const known = join.place(axis) ?? (asked ? join.doubles(axis) : null);
      if (known === null) return this.wait(frame);
      if (known) fresh = fresh.without(key, known);
    }
    for (const [key, axis] of axes) if (fresh.axes[key].t.length) this.join(axis.of).settle(axis);
    if (!fresh.empty) this.give(fresh, false);
  }

  wait(frame) {
    if (this.queue.length < MOST_WAITING) this.queue.push(frame);
    this.read();
  }

  /** Ask for the history, or for what came after what is known; frames wait meanwhile. */
  read() {
    if (this.stopped) return;
    this.asking ??= this.ask().finally(() => {
      this.asking = null;
      const waiting = this.queue.splice(0);
      if (!this.stopped) for (const frame of waiting) this.take(frame, true);
    });
  }

  async ask() {
    const { last = 0, maxPoints, bin, reduce } = this.options;
    const history = !this.begun;
    const start = history ? -last : this.from(last);
    const since = history ? undefined : this.since();
    try {
      const asked = { maxPoints, bin, reduce, since };
      const data = this.options.data ?? ((...all) => this.client.data(...all));
      const answer = await data(this.node, this.fields, start, OPEN_END, asked);
      this.begun ||= Date.now();
      this.settle(answer, history);
    } catch (problem) {
      this.queue.length = 0;
      if (!this.stopped) this.onProblem(problem);
    }
  }

  /** Where a later question begins: at the last sample, or as long ago as this has begun where there was none yet. */
  from(last) {
    const known = Math.min(...[...this.joins.values()].map((join) => join.last));
    return Number.isFinite(known) ? known - SLACK : this.begun - Date.now() - last - SLACK;
  }

  settle(answer, history) {
    let fresh = answer;
    for (const [key, axis] of history ? [] : Object.entries(answer.axes)) {
      const doubles = this.join(axis.of).doubles(axis);
      if (doubles) fresh = fresh.without(key, doubles);
    }
    for (const axis of Object.values(answer.axes)) this.join(axis.of).settle(axis);
    if (history || !fresh.empty) this.give(fresh, history);
  }

  give(answer, history) {
    if (!this.stopped) this.onUpdate(answer, { history });
  }

  since() {
    const known = [...this.joins].filter(([, join]) => join.known).map(([name, join]) => [name, join.since]);
    return Object.fromEntries(known);
  }

  join(timeline) {
    if (!this.joins.has(timeline)) this.joins.set(timeline, new Joining());
    return this.joins.get(timeline);
  }
}
