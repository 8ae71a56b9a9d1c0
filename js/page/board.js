/** The board: panels of the chosen fields, their feeds, and the view that all share. */

import { Feed } from "./feed.js";
import { listen } from "./gestures.js";
import { axisSize, rightRoom } from "./axes.js";
import { Panel } from "./panel.js";
import { onScheme } from "./palette.js";
import { Tiles } from "./tiles.js";
import { Turns } from "./turns.js";

const SOON = 60; // ms from one question to the next while a hand moves the view
const LEAST = 150; // px that a chart of numbers is high

export class Board {
  /** @param place element  @param client  @param view View  @param act {remove(line), changed(), drawn(feeds)} */
  constructor(place, client, view, act) {
    Object.assign(this, { place, client, view, act, panels: [], feeds: new Map(), waiting: null, frame: null });
    this.tiles = new Tiles();
    this.turns = new Map(); // node -> Turns
    this.shared = {
      range: () => view.range(Date.now()),
      end: () => (view.live ? Infinity : view.end),
      sync: "sisock",
      onCursor: () => this.legends(),
    };
    listen(place, () => this.area(), {
      zoom: (factor, at) => this.turn(view.zoom(factor, at, Date.now())),
      pan: (part) => this.turn(view.pan(part, Date.now())),
      live: () => this.turn(view.goLive()),
      all: () => this.showAll(),
    });
    new ResizeObserver(() => this.resize()).observe(place);
    onScheme(() => this.panels.forEach((panel) => panel.redraw()));
    document.addEventListener("visibilitychange", () => !document.hidden && this.wake());
    this.tick();
  }

  /** Show these fields: [{node, field, about, colour, publishes, all: {fields, timelines}}]. */
  choose(lines) {
    const before = this.feeds;
    this.feeds = new Map();
    for (const panel of this.panels) panel.destroy();
    for (const node of new Set(lines.map((line) => line.node))) this.feed(node, lines.filter((line) => line.node === node), before.get(node));
    for (const feed of before.values()) if (![...this.feeds.values()].includes(feed)) feed.stop();
    const act = { remove: this.act.remove, goTo: (all) => this.showAll(all) };
    this.panels = grouped(lines).map(([kind, those]) => new Panel(kind, those, this.shared, act));
    this.place.replaceChildren(...this.panels.map((panel) => panel.element));
    this.drawSoon();
    for (const feed of this.feeds.values()) if (!feed.view) feed.show(this.view, this.pixels());
  }

  /** The feed of one node's chosen fields: the one of before if they are the same, else one that begins with its points. */
  feed(node, lines, before) {
    const names = lines.map((line) => line.field);
    let feed = before;
    if (!before || before.fields.join("\n") !== names.join("\n")) {
      const shared = { client: this.client, tiles: this.tiles, turns: this.turnsOf(node) };
      feed = new Feed(shared, node, lines, () => this.drawSoon());
      if (before) feed.adopt(before);
    }
    this.feeds.set(node, feed);
    feed.lines = lines;
    for (const line of lines) line.feed = feed;
  }

  /** The turns of all that ask one node for what is on the screen. */
  turnsOf(node) {
    if (!this.turns.has(node)) this.turns.set(node, new Turns());
    return this.turns.get(node);
  }

  /** Tell of the chosen nodes that are away: `away(node)` is a sentence, or null; and of those that are not listed. */
  presence(away, listed) {
    for (const [node, feed] of this.feeds) {
      feed.away = away(node);
      feed.list(listed(node));
    }
    this.drawSoon();
  }

  /** Let go of all that was shown. */
  forget() {
    this.choose([]);
    this.tiles = new Tiles();
  }

  /** These nodes came or went: ask anew for what is shown of them. */
  doubt(nodes) {
    for (const [node, feed] of this.feeds) if (nodes.includes(node)) feed.doubt();
    if (nodes.some((node) => this.feeds.has(node))) this.ask();
  }

  /** Ask the nodes for what the screen shows and is not known yet. */
  ask() {
    clearTimeout(this.waiting);
    this.waiting = null;
    for (const feed of this.feeds.values()) feed.show(this.view, this.pixels());
    this.drawSoon();
  }

  wake() {
    for (const feed of this.feeds.values()) feed.pace.wake();
    this.ask();
  }

  pixels() {
    return Math.max(100, Math.round(this.area().width));
  }

  /** The view has changed: draw what there is at once, ask for what is missing soon. */
  turn() {
    this.drawSoon();
    this.act.changed();
    this.waiting ??= setTimeout(() => this.ask(), SOON);
  }

  /** Show all that the nodes have of the chosen fields. */
  async showAll(lines = this.panels.flatMap((panel) => panel.lines)) {
    const nodes = [...new Set(lines.map((line) => line.node))];
    const ends = await Promise.all(
      nodes.map(async (node) => {
        const fields = lines.filter((line) => line.node === node).map((line) => line.field);
        const answer = await this.turnsOf(node).take(() => this.client.data(node, fields, null, null, { maxPoints: 4, reduce: "m4" }));
        return Object.values(answer.axes).filter(({ t }) => t.length).flatMap(({ t }) => [t[0], t.at(-1)]);
      }).map((asked) => asked.catch(() => [])),
    );
    const all = ends.flat();
    if (!all.length) return;
    const [from, to] = [Math.min(...all), Math.max(...all)];
    const air = Math.max(1000, (to - from) * 0.01);
    this.turn(this.view.set(from - air, to + air, Date.now()));
  }

  /** Left edge and width of the plotted stretch, in client pixels. */
  area() {
    const box = this.place.getBoundingClientRect();
    const inner = this.width();
    const left = axisSize(inner);
    return { left: box.left + (box.width - inner) / 2 + left, width: Math.max(50, inner - left - rightRoom(inner)) };
  }

  width() {
    return Math.max(200, Math.floor((this.panels[0]?.place.clientWidth ?? this.place.clientWidth) || 0));
  }

  resize() {
    const width = this.width();
    if (width === this.drawnWidth && this.place.clientHeight === this.drawnHeight) return;
    const wider = Math.abs(width - (this.drawnWidth ?? 0)) > 20;
    this.drawnWidth = width;
    this.drawnHeight = this.place.clientHeight;
    this.drawSoon();
    if (wider) this.turn();
  }

  drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const width = this.width();
    const height = this.chartHeight();
    const range = this.shared.range();
    this.tiles.moment++;
    for (const feed of this.feeds.values()) feed.draw(range);
    for (const panel of this.panels) panel.draw(width, height);
    for (const feed of this.feeds.values()) feed.drawn();
    this.act.drawn(this);
    this.last = Date.now();
  }

  /** Charts of numbers share the height that the window has. */
  chartHeight() {
    const numbers = this.panels.filter((panel) => panel.kind === "number").length || 1;
    const bands = this.panels.filter((panel) => panel.kind === "states").reduce((n, panel) => n + panel.chart.height + 100, 0);
    const room = window.innerHeight - this.place.getBoundingClientRect().top - window.scrollY - bands - 56;
    return Math.max(LEAST, Math.min(720, Math.floor(room / numbers) - 82));
  }

  legends() {
    for (const panel of this.panels) panel.legend();
  }

  /** While live, time goes on even where no sample comes: about a pixel at a time. */
  tick() {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const pace = Math.max(still ? 1000 : 100, Math.min(1000, this.view.span / this.area().width));
    const rest = pace - (Date.now() - (this.last ?? 0));
    if (rest <= 0 && this.view.live && !document.hidden) this.drawSoon();
    setTimeout(() => this.tick(), rest > 0 ? rest : pace);
  }
}

/** Lines by panel: numbers by their units, all texts and booleans together. */
function grouped(lines) {
  const groups = new Map();
  for (const line of lines) {
    const kind = line.about.type === "number" ? "number" : "states";
    const key = kind === "number" ? `number ${line.about.units ?? ""}` : kind;
    if (!groups.has(key)) groups.set(key, [kind, []]);
    groups.get(key)[1].push(line);
  }
  return [...groups.values()].sort(([a], [b]) => a.localeCompare(b));
}
