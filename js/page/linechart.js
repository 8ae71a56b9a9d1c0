/** A chart of numbers that share their units: lines that keep every spike. */

import uPlot from "uplot";
import { timeAxis, valueAxis } from "./axes.js";
import { Chart } from "./chart.js";

const NOTHING = [[0], [null]];

export class LineChart extends Chart {
  /** @param place element  @param names labels of the lines  @param colours theirs  @param shared {range, sync, onCursor} */
  constructor(place, names, colours, shared) {
    super(place, names, shared);
    this.colours = colours;
  }

  /** Draw traces, one a line. */
  draw(traces, width, height) {
    this.traces = traces;
    const filled = traces.map((trace) => (trace.t.length ? [trace.t, trace.v] : NOTHING));
    const data = filled.length === 1 ? filled[0] : uPlot.join(filled);
    if (!this.plot) this.plot = new uPlot(this.options(width, height), data, this.place);
    else {
      if (this.plot.width !== width || this.plot.height !== height) this.plot.setSize({ width, height });
      this.plot.setData(data, false);
      this.move();
    }
  }

  /** Show the range of the view anew. */
  move() {
    if (!this.plot) return;
    const [min, max] = this.shared.range();
    this.plot.batch(() => {
      this.plot.setScale("x", { min, max });
      this.plot.setScale("y", this.extent(min, max));
    });
  }

  /** Values nearest to the cursor, for the legend; null where the cursor is not on the chart. */
  values() {
    const moment = this.at;
    if (moment === null) return null;
    return this.traces.map((trace) => nearest(trace, moment));
  }

  /** Least and greatest value on the screen, with some air around. */
  extent(from, to) {
    let low = Infinity;
    let high = -Infinity;
    for (const { t, v } of this.traces) {
      for (let i = 0; i < t.length; i++) {
        if (t[i] < from || t[i] > to || v[i] === null || !Number.isFinite(v[i])) continue;
        if (v[i] < low) low = v[i];
        if (v[i] > high) high = v[i];
      }
    }
    this.blank = low > high;
    if (this.blank) return { min: 0, max: 1 };
    const [min, max] = uPlot.rangeNum(low, high, { min: { pad: 0.08, soft: 0, mode: 3 }, max: { pad: 0.08, soft: 0, mode: 3 } });
    return { min, max };
  }

  options(width, height) {
    return {
      ...this.frame(width, height, this.extent(...this.shared.range())),
      padding: [8, 12, 0, 0],
      axes: [timeAxis(width), valueAxis(width, () => this.blank)],
      series: [{}, ...this.names.map((name, i) => this.line(name, i))],
    };
  }

  line(label, i) {
    return {
      label,
      stroke: () => this.colours()[i],
      width: 1.5,
      points: { size: 4, fill: () => this.colours()[i] },
      spanGaps: false,
    };
  }
}

function nearest({ t, v }, moment) {
  let low = 0;
  let high = t.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t[middle] < moment) low = middle + 1;
    else high = middle;
  }
  if (low > 0 && moment - t[low - 1] < t[low] - moment) low--;
  return t.length ? { t: t[low], value: v[low] } : null;
}

