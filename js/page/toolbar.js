/** Ranges to choose from, back to live, and what the screen shows. */

import { h, setText } from "./dom.js";
import { duration, moment, zone } from "./format.js";

const HOUR = 3600e3;
const DAY = 24 * HOUR;
const RANGES = [
  ["5 min", HOUR / 12],
  ["30 min", HOUR / 2],
  ["1 h", HOUR],
  ["6 h", 6 * HOUR],
  ["1 d", DAY],
  ["1 w", 7 * DAY],
  ["1 mo", 30.44 * DAY],
  ["1 y", 365.25 * DAY],
  ["10 y", 3652.5 * DAY],
];

export class Toolbar {
  /** @param place element  @param view View  @param act {range(span), live(), all(), zoom(factor), pan(part)} */
  constructor(place, view, act) {
    this.view = view;
    this.buttons = RANGES.map(([name, span]) => ({ span, element: button(name, `Show the last ${name}`, () => act.range(span)) }));
    this.live = button("Live", "Follow the present (End)", () => act.live());
    this.live.classList.add("live");
    this.shown = h("output", { class: "shown", "aria-live": "off" });
    const ranges = h("div", { class: "ranges", role: "group", "aria-label": "Range" }, ...this.buttons.map((each) => each.element), button("All", "Show all there is (Home)", act.all));
    const moves = h(
      "div",
      { class: "moves", role: "group", "aria-label": "Move" },
      button("‹", "Back (←)", () => act.pan(-0.5)),
      button("−", "Zoom out (-)", () => act.zoom(2)),
      button("+", "Zoom in (+)", () => act.zoom(0.5)),
      button("›", "Forward (→)", () => act.pan(0.5)),
    );
    place.replaceChildren(this.live, ranges, moves, this.shown);
    setInterval(() => this.update(), 1000);
    this.update();
  }

  /** Tell which stretch is shown. */
  update() {
    const { span, live } = this.view;
    const [from, to] = this.view.range(Date.now());
    this.live.setAttribute("aria-pressed", String(live));
    for (const each of this.buttons) each.element.setAttribute("aria-pressed", String(Math.abs(each.span / span - 1) < 0.01));
    const begin = zone(from) === zone(to) ? moment(from, span) : `${moment(from, span)} ${zone(from)}`;
    const text = live ? `last ${duration(span)}, to ${moment(to, Math.max(span, 60e3))}` : `${begin} – ${moment(to, span)}`;
    setText(this.shown, `${text} ${zone(to)}`);
    this.shown.title = `local time, ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
  }
}

function button(text, title, onclick) {
  return h("button", { type: "button", title, onclick }, text);
}
