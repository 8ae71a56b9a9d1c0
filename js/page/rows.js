/** The last samples of the chosen fields as rows, with a filter: for records, and for exact values. */

import { h, setText } from "./dom.js";
import { count, moment, zone } from "./format.js";

const SHOWN = 200;
const LEAST = 100; // ms before the last sample on the screen

export class Rows {
  /** @param place a details element  @param client  @param view View */
  constructor(place, client, view) {
    Object.assign(this, { place, client, view, lines: [], tables: [], asked: 0, timer: null });
    this.filter = h("input", { type: "search", placeholder: "Filter rows", "aria-label": "Filter rows", oninput: () => this.draw() });
    this.note = h("span", { class: "note" });
    this.body = h("div", { class: "tables" });
    place.replaceChildren(h("summary", {}, "Rows"), h("div", { class: "bar" }, this.filter, this.note), this.body);
    place.addEventListener("toggle", () => this.refresh());
  }

  choose(lines) {
    this.lines = lines;
    this.place.hidden = !lines.length;
    if (!lines.length) {
      this.asked++; // what was asked before is not drawn
      this.tables = [];
      this.draw();
    }
    this.refresh();
  }

  /** The view or the data have changed: ask again soon, if anyone looks. Records are only to be seen here. */
  refreshSoon() {
    const records = this.lines.some((line) => line.feed.traces.get(line.field).records);
    if (records && !this.offered) this.place.open = this.offered = true;
    this.timer ??= setTimeout(() => this.refresh(), 1000);
  }

  async refresh() {
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.place.open || !this.lines.length) return;
    const asked = ++this.asked;
    const tables = await Promise.all(grouped(this.lines).map((group) => this.ask(group)));
    if (asked !== this.asked) return;
    this.tables = tables;
    this.draw();
  }

  /** The last rows before the end of the screen. */
  async ask({ node, fields, interval, trace, turns }) {
    const [from, to] = this.view.range(Date.now());
    const end = Math.min(to, trace.until ?? to) + 1;
    const start = Math.max(from, end - Math.max(LEAST, (interval ?? 0) * 1000 * SHOWN), 1);
    try {
      const answer = await turns.take(() => this.client.data(node, fields, start, end));
      return { node, fields, rows: rowsOf(answer, fields) };
    } catch (problem) {
      return { node, fields, rows: [], problem: problem.message };
    }
  }

  draw() {
    const wanted = this.filter.value.trim().toLowerCase();
    let shown = 0;
    let all = 0;
    const tables = this.tables.map(({ node, fields, rows, problem }) => {
      if (problem) return h("p", { class: "problem" }, problem);
      const matching = wanted ? rows.filter((row) => row.text.includes(wanted)) : rows;
      all += matching.length;
      const some = matching.slice(0, SHOWN);
      shown += some.length;
      return table(node, fields, some);
    });
    this.body.replaceChildren(...tables);
    setText(this.note, shown < all ? `newest ${count(shown)} of ${count(all)} rows` : `${count(all)} rows`);
  }
}

function grouped(lines) {
  const groups = new Map();
  for (const line of lines) {
    const key = `${line.node} ${line.about.timeline}`;
    const interval = line.all.timelines[line.about.timeline]?.interval ?? null;
    const { turns, traces } = line.feed;
    if (!groups.has(key)) groups.set(key, { node: line.node, fields: [], interval, turns, trace: traces.get(line.field) });
    groups.get(key).fields.push(line.field);
  }
  return [...groups.values()];
}

/** Newest first: [{t, values, text}], text in lower case for the filter. */
function rowsOf(answer, fields) {
  const columns = fields.map((field) => answer.series(field));
  const t = columns.find((column) => column.t.length)?.t ?? [];
  const rows = Array.from(t, (at, i) => {
    const values = columns.map((column) => column.values[i] ?? null);
    return { t: at, values, text: values.join(" ").toLowerCase() };
  });
  return rows.reverse();
}

function table(node, fields, rows) {
  const head = h("tr", {}, h("th", { scope: "col" }, `time, ${zone(rows[0]?.t ?? Date.now())}`), ...fields.map((field) => h("th", { scope: "col" }, field)));
  const body = rows.map(({ t, values }) =>
    h("tr", {}, h("td", { class: "time" }, moment(t, 10e3)), ...values.map((value) => h("td", { class: typeof value }, cell(value)))),
  );
  return h("div", { class: "scroll", tabindex: 0 }, h("table", {}, h("caption", {}, node), h("thead", {}, head), h("tbody", {}, ...body)));
}

function cell(value) {
  return value === null || Number.isNaN(value) ? "–" : String(value);
}
