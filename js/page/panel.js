/** One panel: legend with values, a chart, and the label of what is drawn. */

import { BandChart } from "./bandchart.js";
import { h, setText } from "./dom.js";
import { moment, withUnits, zone } from "./format.js";
import { describe, explain } from "./label.js";
import { LineChart } from "./linechart.js";
import { series, state } from "./palette.js";

const AROUND = 0.25; // parts of the screen before it
const STATES = 12; // that a key names

export class Panel {
  /**
   * @param kind "number" or "states"  @param lines [{node, field, about, colour: index, feed}]
   * @param shared {range, sync, onCursor}  @param act {remove(line), goTo(line)}
   */
  constructor(kind, lines, shared, act) {
    Object.assign(this, { kind, lines, shared, act });
    this.at = h("span", { class: "at" });
    this.chips = lines.map((line) => this.chip(line));
    this.place = h("div", { class: "chart" });
    this.foot = h("p", { class: "label" });
    this.notices = h("div", { class: "notices", role: "status" });
    this.nothing = h("div", { class: "nothing", hidden: true });
    const names = lines.map((line) => `${line.node}::${line.field}`);
    const head = h("header", { class: "legend" }, ...this.chips.map((chip) => chip.element), this.at, this.unitsOf());
    this.key = h("p", { class: "key", hidden: kind !== "states" });
    const body = h("div", { class: "body" }, this.place, this.nothing);
    this.element = h("section", { class: "panel", "aria-label": names.join(", ") }, head, body, this.key, this.foot, this.notices);
    this.chart =
      kind === "states"
        ? new BandChart(this.place, names, shared)
        : new LineChart(this.place, names, () => lines.map((line) => series(line.colour)), shared);
  }

  unitsOf() {
    const units = this.kind === "number" ? this.lines[0].about.units : null;
    return units ? h("span", { class: "units", title: "units of this chart" }, units) : null;
  }

  chip(line) {
    const swatch = h("span", { class: "swatch" });
    const chip = { t: null };
    const tell = () => (chip.value.title = chip.t === null ? "" : `${moment(chip.t, 1)} ${zone(chip.t)}`);
    const value = h("span", { class: "value", onpointerenter: tell });
    const remove = h("button", { class: "remove", type: "button", title: `Take ${line.field} off`, "aria-label": `Take ${line.node} ${line.field} off`, onclick: () => this.act.remove(line) }, "×");
    const name = h("span", { class: "name" }, h("span", { class: "node" }, `${line.node} `), line.field);
    const element = h("span", { class: "chip", "data-target": `${line.node}::${line.field}`, title: line.about.description ?? "" }, swatch, name, value, remove);
    return Object.assign(chip, { element, swatch, value });
  }

  get traces() {
    return this.lines.map((line) => line.feed.traces.get(line.field));
  }

  /** Draw at this size; a panel of states has the height of its lanes. */
  draw(width, height) {
    this.element.classList.toggle("busy", this.lines.some((line) => line.feed.busy));
    this.chart.draw(this.traces, width, height);
    this.legend();
    this.tell();
    if (this.kind === "states") this.explainStates();
  }

  /** Which colour is which state, where there are few enough to tell apart. */
  explainStates() {
    const found = this.chart.states().slice(0, STATES);
    const text = found.join("\n");
    if (text === this.keyed) return;
    this.keyed = text;
    const entry = (value) => {
      const swatch = h("span", { class: "swatch" });
      swatch.style.background = state(value);
      return h("span", { class: "chip" }, swatch, value);
    };
    this.key.replaceChildren(...found.map(entry));
  }

  redraw() {
    this.keyed = null;
    if (this.kind === "states") this.explainStates();
    this.chart.redraw();
    this.legend();
  }

  /** Values at the cursor, else the newest samples. */
  legend() {
    const under = this.chart.values();
    const [from, to] = this.shared.range();
    setText(this.at, under ? `${moment(this.chart.at, to - from)} ${zone(this.chart.at)}` : "");
    this.chips.forEach((chip, i) => {
      const line = this.lines[i];
      const shown = under ? under[i] : this.newest(this.traces[i], from - (to - from) * AROUND);
      setText(chip.value, withUnits(shown?.value, line.about.units));
      chip.t = shown?.t ?? null;
      const colour = this.kind !== "states" ? series(line.colour) : shown?.value == null ? "" : state(shown.value);
      if (chip.colour !== colour) chip.swatch.style.background = chip.colour = colour;
    });
  }

  /** The newest sample of a trace, unless it was long before what is on the screen. */
  newest(trace, from) {
    const sample = trace.reading(this.shared.end());
    return sample && sample.t >= from ? sample : null;
  }

  /** Label, notices, problems, and what to do where there is nothing. */
  tell() {
    const feeds = [...new Set(this.lines.map((line) => line.feed))];
    const summaries = this.traces.map((trace) => trace.summary(...this.shared.range()));
    const busy = feeds.some((feed) => feed.busy);
    const none = summaries.every(({ points }) => !points);
    setText(this.foot, busy && none ? "asking…" : describe(summaries, this.lines.every((line) => line.about.type === "string")));
    this.foot.title = explain(summaries);
    this.say(feeds, summaries);
    const empty = none && !busy && this.kind === "number" && feeds.some((feed) => !feed.hidden);
    if (empty && this.nothing.hidden) this.offer();
    this.nothing.hidden = !empty;
  }

  /** Notices of the answers that are on the screen, problems of those that did not come. */
  say(feeds, summaries) {
    const notices = [...new Set(summaries.flatMap((each) => [...each.notices]))];
    const away = feeds.map((feed) => feed.away).filter((sentence) => sentence && !notices.some((notice) => tells(notice, sentence)));
    const problems = feeds.filter((feed) => feed.problem && !feed.away).map((feed) => feed.problem);
    const said = [...away.map((text) => ["notice", text]), ...problems.map((text) => ["problem", text]), ...notices.map((text) => ["notice", text])];
    const key = JSON.stringify(said);
    if (key === this.said) return;
    this.said = key;
    this.notices.replaceChildren(...said.map(([kind, text]) => h("p", { class: kind }, text)));
  }

  /** Say that there is nothing, and lead to where there is. */
  offer() {
    const go = h("button", { type: "button", onclick: () => this.act.goTo(this.lines) }, "Show all there is");
    this.nothing.replaceChildren(h("p", {}, "No samples in this stretch of time."), go);
  }

  destroy() {
    this.chart.destroy();
    this.element.remove();
  }
}

/** Whether a notice tells already that a node is away, as the sentence does, or that it never was one. */
function tells(notice, sentence) {
  const [node] = sentence.split(" is away");
  return notice.startsWith(`${node} is away`) || notice.startsWith(`${node} is imported`);
}
