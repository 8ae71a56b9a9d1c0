/** sisock in the browser: nodes, their fields, history and live data. Times are milliseconds; zero or less means ago. */

import { Answer, decodeAnswer, joinAnswers } from "./lib/answer.js";
import { SisockError } from "./lib/errors.js";
import { Link } from "./lib/link.js";
import { decodeLists } from "./lib/lists.js";
import { Live } from "./lib/live.js";
import { Tickets } from "./lib/tickets.js";
import { fromNs, toDoor } from "./lib/times.js";
import { PREFIX, uris } from "./lib/uris.js";

export { Answer, SisockError };

/**
 * Connect to a router, for ever. Returns a Client at once; what is asked waits for the connection.
 * `token` is the one-time token of the address that `sisock up` or `sisock link` prints; without one the session
 * that `storage` remembers is taken up again.
 */
export function connect({ url, token = null, realm = "test_realm", prefix = PREFIX, storage = globalThis.sessionStorage }) {
  const names = uris(prefix);
  const tickets = new Tickets(token, storage, `sisock ${url} ${realm}`);
  return new Client(new Link({ url, realm, authid: "page", beat: names.nodes }, tickets), names);
}

class Client {
  constructor(link, names) {
    this.link = link;
    this.uris = names;
    this.ours = new Map(); // node -> whether it speaks our extension of the protocol
  }

  /** All nodes: [{name, description, state: "up"|"away", since (ms), sensitive, info}]. */
  async nodes() {
    const listed = await this.link.call(this.uris.nodes, [], {}, { who: "the hub" });
    for (const { name, info } of listed) this.ours.set(name, Boolean(info?.v));
    return listed.map((node) => ({ ...node, since: fromNs(node.since) }));
  }

  /** Fields and timelines of a node: {fields: {name: {description, timeline, type, units}}, timelines: {name: {interval, field}}}. */
  async fields(node, start = null, end = null) {
    const [fields, timelines] = await this.link.call(this.uris.fields(node), toDoor(start, end), {}, { who: node });
    return { fields, timelines };
  }

  /** Samples of fields in [start, end); null is no bound. Returns an Answer. */
  async data(node, fields, start = null, end = null, { maxPoints, reduce, minStride, since, deadline } = {}) {
    if (!this.ours.has(node)) await this.nodes().catch(() => {}); // nodes answer also while the hub is away
    const args = [[...fields], ...toDoor(start, end)];
    const stride = minStride ? minStride / 1000 : null;
    if (this.ours.get(node) === false) return this.lists(node, [...args, stride], deadline);
    const kwargs = { columns: "typed", min_stride: stride };
    if (maxPoints) kwargs.max_points = Math.max(1, Math.round(maxPoints));
    if (reduce) kwargs.reduce = reduce;
    if (since && Object.keys(since).length) kwargs.since = since;
    const parts = [];
    const progress = (part) => parts.push(part);
    const last = await this.link.call(this.uris.data(node), args, kwargs, { who: node, deadline, progress });
    return joinAnswers([...parts, last].map(decodeAnswer));
  }

  /** What a node in the old way answers: lists, never reduced. */
  async lists(node, args, deadline) {
    const { fields } = await this.fields(node);
    return decodeLists(await this.link.call(this.uris.data(node), args, {}, { who: node, deadline }), fields);
  }

  /**
   * History of the last `last` ms, then every new sample exactly once: `onUpdate(answer, {history})`.
   * With `history` true the answer replaces all that came before. Returns a function that stops it.
   */
  live(node, fields, options, onUpdate, onProblem = () => {}) {
    const live = new Live(this, node, [...fields], options, onUpdate, onProblem);
    live.start();
    return () => live.stop();
  }

  /** Nodes coming and going: `callback("added"|"subtracted"|"started", node)`. Resolves with a function that stops it. */
  async onNodes(callback) {
    const topics = { added: this.uris.added, subtracted: this.uris.subtracted, started: this.uris.started };
    const ends = await Promise.all(
      Object.entries(topics).map(([what, topic]) => this.link.subscribe(topic, (node) => callback(what, node), "the hub")),
    );
    return () => ends.forEach((end) => end());
  }

  /** State of the connection, now and at each change: `callback("connecting"|"connected"|"lost"|"refused"|"closed", sentence)`. */
  onState(callback) {
    return this.link.onState(callback);
  }

  /** Sign in with a new one-time token, after a refusal. */
  signIn(token) {
    this.link.signIn(token);
  }

  /** End the connection. */
  close() {
    this.link.close();
  }
}
