/** The list of nodes: who is up or away, their fields by timeline, and what each field says now. */

import { h, setText } from "./dom.js";
import { ago, duration, moment, withUnits, zone } from "./format.js";

const RECENT = 120e3; // ms of history that are asked for the last values
const REREAD = 30e3; // ms after which an open entry looks for fields that have come since
const ASKED = 6; // nodes at once for their fields, while a field is looked for
const TROUBLES = ["no data", "failed"]; // that a node may say of itself

export class NodeList {
  /** @param place element  @param client  @param act {toggle(node, field, on), opened(), isChosen(node, field), colourOf(node, field)} */
  constructor(place, client, act) {
    Object.assign(this, { place, client, act });
    this.entries = new Map();
    this.wanted = "";
    this.learning = false;
    setInterval(() => this.entries.forEach((entry) => entry.tick()), 1000);
  }

  /** Show only what has this text in its name or description. */
  filter(text) {
    this.wanted = text.trim().toLowerCase();
    for (const entry of this.entries.values()) entry.filter(this.wanted);
    this.learn();
  }

  /** While something is looked for, ask the nodes that were never opened for their fields, a few at once. */
  async learn() {
    if (this.learning) return;
    this.learning = true;
    const left = this.entries.values();
    const some = async () => {
      for (const entry of left) if (this.wanted) await entry.learn();
    };
    await Promise.all(Array.from({ length: ASKED }, some));
    this.learning = false;
  }

  /** Show these nodes; entries that stay keep their state. */
  update(nodes) {
    const names = new Set(nodes.map((node) => node.name));
    for (const [name, entry] of this.entries) if (!names.has(name)) entry.close(), this.entries.delete(name);
    for (const node of nodes) {
      if (!this.entries.has(node.name)) this.entries.set(node.name, new Entry(this.client, this.act));
      this.entries.get(node.name).update(node);
      this.entries.get(node.name).filter(this.wanted);
    }
    const order = [...nodes].sort((a, b) => (a.state === b.state ? a.name.localeCompare(b.name) : a.state === "up" ? -1 : 1));
    const elements = order.map((node) => this.entries.get(node.name).element);
    if (elements.some((element, i) => this.place.children[i] !== element) || elements.length !== this.place.children.length) {
      this.place.replaceChildren(...elements);
    }
    this.learn();
  }

  get(name) {
    return this.entries.get(name);
  }

  /** Marks follow the choice. */
  marks() {
    for (const entry of this.entries.values()) entry.marks();
  }
}

class Entry {
  constructor(client, act) {
    Object.assign(this, { client, act, about: null, known: {}, asked: null, stopLive: null, rows: new Map(), node: null, wanted: "", said: null });
    this.state = h("span", { class: "dot", "aria-hidden": "true" });
    this.name = h("span", { class: "name" });
    this.note = h("span", { class: "note" });
    this.description = h("p", { class: "description" });
    this.health = h("p", { class: "health notice" });
    this.fields = h("div", { class: "fields" });
    this.details = h("details", { ontoggle: () => this.toggle() }, h("summary", {}, this.state, this.name, this.note), this.description, this.health, this.fields);
    this.element = h("li", { class: "entry" }, this.details);
  }

  update(node) {
    const before = this.node;
    this.node = node;
    this.element.dataset.state = node.state;
    this.element.dataset.node = node.name;
    setText(this.name, node.name);
    setText(this.description, [node.description, node.sensitive ? "Sensitive: shown to you because you may see it." : ""].join(" ").trim());
    this.tick();
    if (before && (before.state !== node.state || before.since !== node.since)) {
      this.about = null;
      this.asked = null;
      this.follow();
      if (!this.isGone() && this.details.open) this.show();
    }
  }

  tick() {
    if (!this.node) return;
    const { state, since, kept_by: kept } = this.node;
    const health = this.healthy();
    if (this.element.dataset.health !== health) this.element.dataset.health = health;
    const away = [since ? `away for ${duration(Date.now() - since).split(" ")[0]}` : "away", ...(kept.length ? ["recorded"] : [])];
    setText(this.note, state === "away" ? away.join(", ") : health === "ok" ? "up" : health);
    this.note.title = [since ? `${state} since ${moment(since)} ${zone(since)}` : state, ...(kept.length ? [`its past is kept by ${kept.join(", ")}`] : [])].join("; ");
    if (this.details.open && this.stopLive && Date.now() - this.read > REREAD) this.reread();
    for (const row of this.rows.values()) if (row.t) row.value.title = `${moment(row.t)} ${zone(row.t)}, ${ago(row.t, Date.now())}`;
  }

  /** How a node that is up says it is: live while the entry is open, else as the hub lists it, some seconds later. */
  healthy() {
    const { state, info } = this.node;
    const listed = TROUBLES.includes(info.health) ? info.health : "ok";
    return state === "up" ? (this.said ?? listed) : "";
  }

  /** Fields and timelines of the node, asked once while it stays up. */
  ask() {
    this.asked ??= this.client.fields(this.node.name).then(
      (about) => {
        this.known = about.fields;
        return (this.about = about);
      },
      (problem) => {
        this.asked = null;
        throw problem;
      },
    );
    return this.asked;
  }

  /** Know the fields, for who looks for one. */
  async learn() {
    if (this.about || this.isGone()) return;
    await this.ask().catch(() => {});
    this.filter(this.wanted);
  }

  /** Whether nobody can tell what it has. */
  isGone() {
    return this.node.state !== "up" && !this.node.kept_by.length;
  }

  toggle() {
    if (this.details.open) this.show();
    this.follow();
  }

  async show() {
    if (!this.rows.size) this.fields.replaceChildren(h("p", { class: "note" }, "asking for its fields…"));
    try {
      this.list(await this.ask());
      this.follow();
    } catch (problem) {
      this.rows.clear();
      this.fields.replaceChildren(h("p", { class: "problem" }, problem.message));
    }
  }

  /** Fields may come later: a sensor that was plugged in, a user who logged in. */
  async reread() {
    this.read = Date.now();
    this.asked = null;
    const about = await this.ask().catch(() => null);
    if (!about || Object.keys(about.fields).every((name) => this.rows.has(name))) return;
    this.list(about);
    this.follow();
  }

  list({ fields, timelines }) {
    this.read = Date.now();
    this.rows.clear();
    const groups = Object.entries(timelines).sort(([a], [b]) => (a === "health") - (b === "health"));
    this.fields.replaceChildren(...groups.map(([timeline, about]) => this.group(timeline, about, fields)));
    this.marks();
    this.filter(this.wanted);
  }

  filter(wanted) {
    this.wanted = wanted;
    const all = !wanted || this.node.name.toLowerCase().includes(wanted);
    const isSought = (name, about) => (about.timeline !== "health" || wanted.startsWith("health")) && told(name, about).toLowerCase().includes(wanted); // all nodes have health
    const found = new Set(Object.entries(this.known).flatMap(([name, about]) => (all || isSought(name, about) ? [name] : [])));
    for (const [name, row] of this.rows) row.element.hidden = !found.has(name);
    for (const section of this.fields.querySelectorAll(".timeline")) section.hidden = !section.querySelector(".row:not([hidden])");
    this.element.hidden = !all && !found.size;
  }

  group(timeline, { interval, field: names }, fields) {
    const pace = interval ? `every ${duration(interval * 1000).split(" ")[0]}` : "";
    const title = h("h3", {}, timeline, h("span", { class: "note" }, pace));
    return h("section", { class: "timeline" }, title, ...names.filter((name) => fields[name]).map((name) => this.row(name, fields[name])));
  }

  row(name, about) {
    const box = h("input", { type: "checkbox", onchange: () => this.act.toggle(this.node.name, name, box.checked) });
    const value = h("span", { class: "value" }, "·");
    const text = h("span", { class: "text" }, h("span", { class: "field" }, name), saysMore(name, about.description) ? h("span", { class: "about" }, about.description) : null);
    const element = h("label", { class: "row", title: told(name, about) }, box, text, value);
    this.rows.set(name, { box, value, units: about.units, element, t: null });
    return element;
  }

  marks() {
    for (const [field, row] of this.rows) {
      row.box.checked = this.act.isChosen(this.node.name, field);
      row.box.style.accentColor = row.box.checked ? this.act.colourOf(this.node.name, field) : "";
    }
  }

  /** Last values, live while the entry is open. */
  follow() {
    this.stopLive?.();
    this.stopLive = null;
    this.said = null;
    if (!this.details.open || !this.about) return;
    const fields = Object.keys(this.about.fields);
    const options = { maxPoints: 4, reduce: "m4", last: RECENT };
    if (this.node.state === "up") this.stopLive = this.client.live(this.node.name, fields, options, (answer) => this.values(answer), () => {});
    this.client.data(this.node.name, fields, null, null, { maxPoints: 4, reduce: "m4" }).then((answer) => this.values(answer, true), () => {});
  }

  values(answer, older = false) {
    for (const [field, row] of this.rows) {
      const { t, values } = answer.series(field);
      let i = t.length - 1;
      while (i >= 0 && (values[i] === null || Number.isNaN(values[i]))) i--;
      if (i < 0 || (older && row.t >= t[i])) continue;
      row.t = t[i];
      setText(row.value, withUnits(values[i], row.units));
    }
    if (!older) this.diagnose(answer);
  }

  /** Say what is wrong with a node that is up, as it says itself. */
  diagnose(answer) {
    const state = answer.series("health.state").values;
    if (!state.length) return;
    const error = answer.series("health.error").values;
    const said = state.at(-1) === "ok" ? "" : [state.at(-1), error.at(-1)].filter(Boolean).join(": ");
    setText(this.health, said);
    this.said = state.at(-1);
    this.tick();
  }

  close() {
    this.stopLive?.();
  }
}

/** All that is known of a field, in a line. */
function told(name, about) {
  const kind = about.type === "number" ? about.units : about.type;
  return [name, about.description, kind && `(${kind})`].filter(Boolean).join(" ");
}

/** Whether a description tells more than the field's name does. */
function saysMore(name, description) {
  return Boolean(description) && description !== name && !name.endsWith(`/${description}`);
}
