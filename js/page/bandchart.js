/** A chart of texts and booleans: a lane for each field, a band for each state. */

import uPlot from "uplot";
import { FONT, axisSize, rightRoom, timeAxis } from "./axes.js";
import { Chart } from "./chart.js";
import { colour, state } from "./palette.js";
import { durations, rare, runs, valueAt } from "./runs.js";

const LANE = 42;
const BAND = 20;
const AXIS = 48;
const LEAST = 3; // px that a state is wide, however short it was

export class BandChart extends Chart {
  lanes = [];

  /** The height that all lanes need. */
  get height() {
    return this.names.length * LANE + AXIS;
  }

  draw(traces, width) {
    const [now, end] = [this.shared.range()[1], this.shared.end()];
    this.lanes = traces.map((trace) => (trace.records ? [] : runs(trace.t, trace.v, lasting(trace, now, end))));
    this.records = traces.map((trace) => trace.records);
    if (!this.plot) this.plot = new uPlot(this.options(width), this.data(), this.place);
    else {
      if (this.plot.width !== width) this.plot.setSize({ width, height: this.height });
      this.plot.setData(this.data(), false);
      this.move();
    }
  }

  move() {
    if (!this.plot) return;
    const [min, max] = this.shared.range();
    this.plot.setScale("x", { min, max });
  }

  values() {
    const moment = this.at;
    if (moment === null) return null;
    return this.lanes.map((lane) => ({ t: moment, value: valueAt(lane, moment) }));
  }

  /** The states on the screen, as texts, the longest first. */
  states() {
    const [from, to] = this.shared.range();
    return [...durations(this.lanes.flat(), from, to)].sort(([, a], [, b]) => b - a).map(([value]) => value);
  }

  data() {
    const edges = [...new Set(this.lanes.flatMap((lane) => lane.map((run) => run.from)))].sort((a, b) => a - b);
    const times = edges.length ? edges : [0];
    return [times, times.map(() => null)];
  }

  options(width) {
    const frame = this.frame(width, this.height, { min: 0, max: this.names.length });
    const blank = { values: (_, at) => at.map(() => ""), size: axisSize(width), grid: { show: false }, ticks: { show: false } };
    return {
      ...frame,
      padding: [4, rightRoom(width), 0, 0],
      cursor: { ...frame.cursor, points: { show: false } },
      axes: [timeAxis(width), blank],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      hooks: { ...frame.hooks, draw: [(plot) => this.paint(plot)] },
    };
  }

  paint(plot) {
    const { ctx, bbox } = plot;
    const scale = uPlot.pxRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.textBaseline = "middle";
    ctx.font = FONT.replace("11px", `${11 * scale}px`);
    this.lanes.forEach((lane, i) => {
      const top = bbox.top + (i * bbox.height) / this.lanes.length;
      ctx.fillStyle = colour("muted");
      ctx.textAlign = "left";
      const note = this.records[i] ? "  records, many at a time: see the rows below" : "";
      ctx.fillText(this.names[i] + note, bbox.left + 2 * scale, top + 9 * scale);
      for (const run of lane) this.paintRun(plot, run, top + 18 * scale, scale);
      for (const run of rare(lane, plot.scales.x.min, plot.scales.x.max)) this.paintRun(plot, run, top + 18 * scale, scale, Math.round);
    });
    ctx.restore();
  }

  /** `whole` puts edges on whole pixels: parts of them blend with what is below, which shows how often states change. */
  paintRun(plot, run, top, scale, whole = (x) => x) {
    const { ctx, bbox } = plot;
    const end = bbox.left + bbox.width;
    const right = Math.min(end, plot.valToPos(run.to, "x", true));
    const begin = Math.max(bbox.left, plot.valToPos(run.from, "x", true));
    if (right < bbox.left || begin > end) return;
    const [least, height] = [Math.round(LEAST * scale), BAND * scale];
    const left = whole(Math.min(begin, end - least));
    const width = Math.max(least, whole(right) - left);
    ctx.fillStyle = state(run.value);
    ctx.fillRect(left, top, width >= least + scale ? width - scale : width, height);
    const text = String(run.value);
    if (width > 24 * scale && ctx.measureText(text).width < width - 10 * scale) {
      ctx.fillStyle = colour("state-text");
      ctx.fillText(text, left + 5 * scale, top + height / 2 + 0.5 * scale);
    }
  }
}

/** Until when the last state of a trace lasts: no longer than there were samples. */
function lasting(trace, now, end) {
  const last = Math.max(trace.t.at(-1) ?? -Infinity, trace.reading(end)?.t ?? -Infinity);
  return Math.min(now, last + (trace.interval ?? 0));
}
