/** sisock in the browser: nodes, their fields, history and live data. Times are milliseconds; zero or less means ago. */

import { Answer } from "./lib/answer.js";
import { Asking } from "./lib/asking.js";
import { SisockError } from "./lib/errors.js";
import { Link } from "./lib/link.js";
import { Live } from "./lib/live.js";
import { Tickets } from "./lib/tickets.js";
import { fromNs, toDoor, widthNs } from "./lib/times.js";
import { PREFIX, uris } from "./lib/uris.js";

export { Answer, SisockError };

/**
 * Connect to a router, for ever. Returns a Client at once; what is asked waits for the connection.
 * `token` is the one-time token of the address that `sisock up` or `sisock link` prints; without one the session
 * that `storage` remembers is taken up again, or `signIn` waited for.
 */
export function connect({ url, token = null, realm = "test_realm", prefix = PREFIX, storage = globalThis.sessionStorage }) {
  const names = uris(prefix);
  const tickets = new Tickets(token, storage, `sisock ${url} ${realm}`);
  return new Client(new Link({ url, realm, beat: names.nodes, signOut: names.signOut }, tickets), names);
}

class Client {
  constructor(link, names) {
    this.link = link;
    this.uris = names;
    this.asking = new Asking(link, names);
  }

  /** All nodes: [{name, description, state: "up"|"away", since (ms), sensitive, info, kept_by}]. */
  async nodes() {
    const listed = await this.link.call(this.uris.nodes, [], {}, { who: "the hub" });
    const nodes = listed.map((node) => ({ kept_by: [], ...node, since: fromNs(node.since) }));
    this.asking.know(nodes);
    return nodes;
  }

  /**
   * Fields and timelines: {fields: {name: {description, timeline, type, units}}, timelines: {name: {interval, field}}}.
   * Of a node that is away, what was recorded; so do all that ask.
   */
  async fields(node, start = null, end = null) {
    const [fields, timelines] = await this.asking.fields(node, toDoor(start, end));
    return { fields, timelines };
  }

  /** Samples of fields in [start, end); null is no bound. `bin`: in bins of exactly so many ms. Returns an Answer. */
  async data(node, fields, start = null, end = null, { maxPoints, bin, reduce, minStride, since, deadline } = {}) {
    if (!this.asking.listed.has(node)) await this.nodes().catch(() => {}); // nodes answer also while the hub is away
    const kwargs = {};
    if (maxPoints) kwargs.max_points = Math.max(1, Math.round(maxPoints));
    if (bin) kwargs.bin = widthNs(bin);
    if (reduce) kwargs.reduce = reduce;
    if (since && Object.keys(since).length) kwargs.since = since;
    const args = [[...fields], ...toDoor(start, end), minStride ? minStride / 1000 : null];
    return this.asking.data(node, args, kwargs, deadline);
  }

  /**
   * One sample of each field: the last one at `t` or before, or by `which`: "before" it, the first "after" it.
   * Returns an Answer.
   */
  async sample(node, fields, t = 0, which = "at") {
    return this.asking.sample(node, [[...fields], t / 1000, which]);
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
    const tell = (news) => news.forEach(([what, node]) => callback(what, node));
    const ends = await Promise.all([
      this.link.subscribe(this.uris.news, tell, "the hub"),
      this.link.subscribe(this.uris.started, () => callback("started"), "the hub"),
    ]);
    return () => ends.forEach((end) => end());
  }

  /** State of the connection, now and at each change: `callback("connecting"|"connected"|"lost"|"refused"|"closed", sentence)`. */
  onState(callback) {
    return this.link.onState(callback);
  }

  /** Sign in with a new one-time token, or as {name, password}, after a refusal. */
  signIn(who) {
    this.link.signIn(who);
  }

  /** The name of who is signed in; "page" for who came by a link. */
  get who() {
    return this.link.who;
  }

  /** End the session, here and at the router. */
  signOut() {
    return this.link.signOut();
  }

  /** End the connection. */
  close() {
    this.link.close();
  }
}
