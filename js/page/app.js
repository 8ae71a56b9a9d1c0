/** The page: connects, lists nodes and fields, and shows what is chosen. */

import "uplot/dist/uPlot.min.css";
import "./style.css";
import { connect } from "../sisock.js";
import * as address from "./address.js";
import { Board } from "./board.js";
import { setText } from "./dom.js";
import { moment, zone } from "./format.js";
import { NodeList } from "./nodes.js";
import { series } from "./palette.js";
import { Rows } from "./rows.js";
import { SignIn } from "./signin.js";
import { Toolbar } from "./toolbar.js";
import { View } from "./view.js";

const RELIST = 15e3; // ms after which the list is asked anew even if no node came or went
const $ = (id) => document.getElementById(id);
const WORDS = { connecting: "connecting", connected: "connected", lost: "connection lost", refused: "not signed in", closed: "closed" };

class App {
  constructor() {
    const said = address.read(location.hash);
    if (said.token) history.replaceState(null, "", location.pathname + location.search + address.write([], new View()));
    this.client = connect({ url: socket(), token: said.token, ...remembered(said) });
    this.view = new View(said.span ?? undefined, said.end);
    this.wanted = said.fields;
    this.chosen = [];
    this.nodes = [];
    this.board = new Board($("board"), this.client, this.view, {
      remove: (line) => this.toggle(line.node, line.field, false),
      changed: () => this.turned(),
      drawn: () => this.rows.refreshSoon(),
    });
    this.toolbar = new Toolbar($("toolbar"), this.view, this.moves());
    this.rows = new Rows($("rows"), this.client, this.view);
    this.list = new NodeList($("nodes"), this.client, {
      toggle: (node, field, on) => this.toggle(node, field, on),
      isChosen: (node, field) => this.chosen.some((line) => line.node === node && line.field === field),
      colourOf: (node, field) => series(this.chosen.find((line) => line.node === node && line.field === field)?.colour ?? 0),
    });
    this.signIn = new SignIn($("sign-in"), (who) => this.client.signIn(who));
    $("sign-out").addEventListener("click", () => this.signOut());
    this.client.onState((state, sentence) => this.connection(state, sentence));
    this.client.onNodes(() => this.relist()).catch((problem) => setText($("nodes-problem"), problem.message));
    setInterval(() => document.hidden || this.relist(), RELIST);
    $("filter").addEventListener("input", () => this.list.filter($("filter").value));
    $("menu").addEventListener("click", () => this.menu());
  }

  moves() {
    const { view, board } = this;
    return {
      range: (span) => board.turn(view.live ? view.goLive(span) : view.zoom(span / view.span, 1, Date.now())),
      live: () => board.turn(view.goLive()),
      all: () => board.showAll(),
      zoom: (factor) => board.turn(view.zoom(factor, 0.5, Date.now())),
      pan: (part) => board.turn(view.pan(part, Date.now())),
    };
  }

  connection(state, sentence) {
    $("connection").dataset.state = state;
    setText($("connection-word"), WORDS[state]);
    $("connection").title = sentence;
    const { who } = this.client;
    $("who").hidden = !(state === "connected" && who !== "page");
    setText($("who-name"), who ?? "");
    if (state === "connected") {
      this.signIn.done();
      this.board.ask();
      this.relist();
    }
    if (state === "refused") {
      this.forget();
      this.signIn.ask(sentence);
    }
  }

  /** Show nothing of what was shown: the next one may see other nodes. What was chosen comes back with who may see it. */
  forget() {
    this.wanted = [...this.chosen.map(({ node, field }) => [node, field]), ...this.wanted];
    this.chosen = [];
    this.nodes = [];
    this.board.forget();
    this.rows.choose([]);
    this.list.update([]);
    setText($("nodes-problem"), "");
  }

  /** Forget who was here, and all that was shown: the next one may see other nodes. */
  async signOut() {
    await this.client.signOut();
    location.replace(location.pathname + location.search);
  }

  /** Ask the hub who is there. */
  async relist() {
    if (this.client.link.state !== "connected") return;
    try {
      const nodes = await this.client.nodes();
      const changed = nodes.filter((node) => this.nodes.some((old) => old.name === node.name && (old.state !== node.state || old.since !== node.since)));
      this.nodes = nodes;
      for (const line of this.chosen) line.publishes = this.publishes(line);
      setText($("nodes-problem"), nodes.length ? "" : "No data node is connected yet: start one with `sisock node`.");
      this.list.update(nodes);
      this.board.presence((name) => this.away(name), (name) => nodes.some((node) => node.name === name));
      await this.restore();
      this.board.doubt(changed.map((node) => node.name));
    } catch (problem) {
      setText($("nodes-problem"), problem.message);
    }
  }

  /** A sentence about a node that is away, or null. */
  away(name) {
    const node = this.nodes.find((each) => each.name === name);
    if (!node) return `${name} is not listed for you any more: your rights have changed, or it is known no longer. Ask whoever keeps sisock, or take it off.`;
    if (node.state === "up") return null;
    const since = node.since ? ` since ${moment(node.since)} ${zone(node.since)}` : "";
    return `${name} is away${since}: shown is what it had; it goes on by itself when it is back.`;
  }

  /** Show what the address says, or at the first visit something that moves. */
  async restore() {
    if (!this.wanted.length && !this.chosen.length && !this.started) await this.suggest();
    this.started = true;
    const waiting = this.wanted.filter(([node]) => this.nodes.some(({ name, state, kept_by: kept }) => name === node && (state === "up" || kept.length)));
    this.wanted = this.wanted.filter((target) => !waiting.includes(target));
    if (waiting.length) await this.choose(waiting);
  }

  async suggest() {
    const node = this.nodes.find(({ state, info, sensitive }) => state === "up" && info.kind === "live" && !sensitive);
    if (!node) return;
    const about = await this.list.get(node.name).ask();
    const field = Object.keys(about.fields).find((name) => about.fields[name].type === "number" && about.fields[name].timeline !== "health");
    if (field) this.wanted = [[node.name, field]];
    this.list.get(node.name).details.open = true;
  }

  async toggle(node, field, on) {
    this.chosen = this.chosen.filter((line) => line.node !== node || line.field !== field);
    await this.choose(on ? [[node, field]] : []);
  }

  /** Show these fields, [[node, field]], beside those that are shown. */
  async choose(targets) {
    for (const [node, field] of targets) {
      const line = await this.line(node, field).catch((problem) => void setText($("nodes-problem"), problem.message));
      if (line) this.chosen.push(line);
    }
    this.board.choose(this.chosen);
    this.rows.choose(this.chosen);
    this.list.marks();
    $("hint").hidden = this.chosen.length > 0;
    this.turned();
  }

  async line(node, field) {
    const all = await this.list.get(node).ask();
    const about = all.fields[field];
    if (!about) return null;
    const taken = new Set(this.chosen.map((line) => line.colour));
    const colour = [...Array(this.chosen.length + 1).keys()].find((n) => !taken.has(n));
    return { node, field, about, all, colour, publishes: this.publishes({ node, about }) };
  }

  /** Whether a node publishes the samples of a field. */
  publishes({ node, about }) {
    const { kind } = this.nodes.find((each) => each.name === node)?.info ?? {};
    return kind === "live" || kind === "command" || about.timeline === "health";
  }

  turned() {
    history.replaceState(null, "", address.write(this.chosen, this.view));
    this.toolbar.update();
  }

  menu() {
    const open = document.body.classList.toggle("menu-open");
    $("menu").setAttribute("aria-expanded", String(open));
  }
}

/** The router listens beside the page. */
function socket() {
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.hash = url.search = "";
  return url.href;
}

/** Realm and prefix, where they are not the default, for this and later loads of the page. */
function remembered({ realm, prefix }) {
  const out = {};
  for (const [name, value] of Object.entries({ realm, prefix })) {
    if (value) sessionStorage.setItem(`sisock ${name}`, value);
    const kept = sessionStorage.getItem(`sisock ${name}`);
    if (kept) out[name] = kept;
  }
  return out;
}

new App();
