/** Asks nodes, and where one is away whoever recorded it; nodes in the old way answer in lists. */

import { decodeAnswer, joinAnswers } from "./answer.js";
import { decodeLists } from "./lists.js";
import { utc } from "./times.js";

export class Asking {
  /** @param link Link  @param uris names of what is asked */
  constructor(link, uris) {
    this.link = link;
    this.uris = uris;
    this.listed = new Map(); // name -> node, as the hub said last
  }

  /** Remember what the hub lists. */
  know(nodes) {
    this.listed = new Map(nodes.map((node) => [node.name, node]));
  }

  /** [fields, timelines] of a node. */
  async fields(node, window) {
    return (await this.either(node, (uri, who) => this.link.call(uri("get_fields"), window, {}, { who }))).given;
  }

  /** The answer to `get_data` with these arguments. */
  async data(node, args, kwargs, deadline) {
    const old = this.listed.has(node) && !this.listed.get(node).info?.v;
    const typed = (uri, who) => this.typed(uri("get_data"), args, kwargs, { who, deadline });
    return this.noted(node, await this.either(node, old ? () => this.lists(node, args, deadline) : typed, typed));
  }

  /** The answer to `get_sample` with these arguments. */
  async sample(node, args) {
    const ask = async (uri, who) => decodeAnswer(await this.link.call(uri("get_sample"), args, {}, { who }));
    return this.noted(node, await this.either(node, ask));
  }

  /** What the node gives, or, where it is away, whoever recorded it: {given, past: whether it is that}. */
  async either(node, own, kept = own) {
    try {
      return { given: await own((what) => this.uris.node(node, what), node), past: false };
    } catch (absent) {
      if (absent.kind !== "no_such_procedure") throw absent;
      try {
        return { given: await kept((what) => this.uris.archive(node, what), `the archive of ${node}`), past: true };
      } catch (problem) {
        throw problem.kind === "no_such_procedure" ? absent : problem;
      }
    }
  }

  /** An answer that says so where it is of the past only. */
  noted(node, { given, past }) {
    if (!past) return given;
    const { state, since, description, info } = this.listed.get(node) ?? {};
    const axes = Object.values(given.axes);
    if (!description && !info?.v && axes.length && axes.every(({ epoch }) => epoch === null)) {
      return given.noting(`${node} is imported`); // samples without identity, and nobody said what it is
    }
    const away = state === "away" && since ? `${node} is away since ${utc(since)}` : `${node} is away`;
    return given.noting(`${away}; this is what was recorded`);
  }

  async typed(uri, args, kwargs, options) {
    const parts = [];
    const progress = (part) => parts.push(part);
    const last = await this.link.call(uri, args, { ...kwargs, columns: "typed" }, { ...options, progress });
    return joinAnswers([...parts, last].map(decodeAnswer));
  }

  /** What a node in the old way answers: lists, never reduced. */
  async lists(node, args, deadline) {
    const options = { who: node, deadline };
    const [fields] = await this.link.call(this.uris.node(node, "get_fields"), [1, 0], {}, options);
    return decodeLists(await this.link.call(this.uris.node(node, "get_data"), args, {}, options), fields);
  }
}
