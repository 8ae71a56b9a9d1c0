/** A chart of numbers that share their units: lines that keep every spike. */

import uPlot from "uplot";
import { rightRoom, timeAxis, valueAxis } from "./axes.js";
import { Chart } from "./chart.js";
import { h } from "./dom.js";
import { lowerBound } from "./grid.js";
import { paintLines } from "./lines.js";
import { isBreak } from "./points.js";

const NOTHING = [[0], [null]]; // what uPlot draws: axes only

export class LineChart extends Chart {
  traces = [];

  /** @param place element  @param names labels of the lines  @param colours theirs  @param shared {range, sync, onCursor} */
  constructor(place, names, colours, shared) {
    super(place, names, shared);
    this.colours = colours;
  }

  /** Draw traces, one a line. */
  draw(traces, width, height) {
    this.traces = traces;
    if (!this.plot) {
      this.plot = new uPlot(this.options(width, height), NOTHING, this.place);
      this.markers = this.names.map(() => h("div", { class: "marker", hidden: true }));
      this.plot.over.append(...this.markers);
    } else if (this.plot.width !== width || this.plot.height !== height) this.plot.setSize({ width, height });
    this.move();
  }

  /** Show the range of the view anew. */
  move() {
    const [min, max] = this.shared.range();
    this.plot.batch(() => {
      this.plot.setScale("x", { min, max });
      this.plot.setScale("y", this.extent(min, max));
    });
    this.mark();
  }

  /** Values nearest to the cursor, for the legend; null where the cursor is not on the chart. */
  values() {
    const moment = this.at;
    if (moment === null) return null;
    return this.traces.map((trace) => nearest(trace, moment));
  }

  /** Mark the samples that the legend tells of. */
  mark() {
    const values = this.values();
    const [from, to] = this.shared.range();
    const colours = values && this.colours();
    this.markers?.forEach((marker, i) => {
      const at = values?.[i];
      marker.hidden = !at || at.t < from || at.t > to;
      if (marker.hidden) return;
      marker.style.background = colours[i];
      marker.style.transform = `translate(${this.plot.valToPos(at.t, "x")}px, ${this.plot.valToPos(at.value, "y")}px)`;
    });
  }

  /** Least and greatest value on the screen, with some air around. */
  extent(from, to) {
    let low = Infinity;
    let high = -Infinity;
    for (const { t, v } of this.traces) {
      const end = lowerBound(t, to);
      for (let i = lowerBound(t, from); i < end; i++) {
        if (v[i] < low && v[i] > -Infinity) low = v[i];
        if (v[i] > high && v[i] < Infinity) high = v[i];
      }
    }
    this.blank = low > high;
    if (this.blank) return { min: 0, max: 1 };
    const [min, max] = uPlot.rangeNum(low, high, { min: { pad: 0.08, soft: 0, mode: 3 }, max: { pad: 0.08, soft: 0, mode: 3 } });
    return { min, max };
  }

  options(width, height) {
    const frame = this.frame(width, height, this.extent(...this.shared.range()));
    return {
      ...frame,
      padding: [8, rightRoom(width), 0, 0],
      cursor: { ...frame.cursor, points: { show: false } },
      axes: [timeAxis(width), valueAxis(width, () => this.blank)],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      hooks: { setCursor: [() => this.mark(), ...frame.hooks.setCursor], draw: [(plot) => this.paint(plot)] },
    };
  }

  paint(plot) {
    const { ctx, bbox, scales } = plot;
    const { x, y } = scales;
    const [across, up] = [bbox.width / (x.max - x.min), bbox.height / (y.max - y.min)];
    const at = (t) => bbox.left + (t - x.min) * across;
    const height = (value) => bbox.top + (y.max - value) * up;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    paintLines(ctx, this.traces, this.colours(), [x.min, x.max], at, height, uPlot.pxRatio);
    ctx.restore();
  }
}

function nearest({ t, v }, moment) {
  let i = lowerBound(t, moment);
  if (i === t.length || (i > 0 && moment - t[i - 1] < t[i] - moment)) i--;
  while (i > 0 && isBreak(v[i])) i--;
  return i >= 0 && !isBreak(v[i]) ? { t: t[i], value: v[i] } : null;
}
