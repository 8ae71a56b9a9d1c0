/** The label of a picture: how its points came about, and what lies behind them. */

import { count, counted, duration } from "./format.js";

const METHODS = {
  minmax: "least and greatest of each bin",
  m4: "first, last, least and greatest of each bin",
  mean: "mean of each bin",
  band: "least, greatest and mean of each bin",
  lttb: "chosen points (lttb)",
  stride: "samples a stride apart",
};

/** One line about the traces of a chart between two times; `label` is the label of the last answer. */
export function describe(traces, label, [from, to]) {
  const filled = traces.filter((trace) => trace.t.length);
  const reduced = label && label.method !== "raw" && filled.some((trace) => trace.samples > trace.t.length);
  const points = filled.reduce((n, trace) => n + trace.between(reduced ? -Infinity : from, to), 0);
  if (!points) return "no samples here";
  const gaps = Math.max(...filled.map((trace) => trace.gaps));
  const samples = filled.reduce((n, trace) => n + trace.samples, 0);
  const parts = reduced
    ? [label.method, `${counted(samples, "sample")} in ${count(points)} points`]
    : ["raw", `all ${counted(points, "sample")}`];
  if (reduced && label.bin) parts.push(`bins of ${duration(label.bin)}`);
  parts.push(gaps ? counted(gaps, "gap") : "no gaps");
  return parts.join(" · ");
}

/** What the method does, for whoever points at the label. */
export function explain(label) {
  if (!label || label.method === "raw") return "every sample is drawn";
  return `drawn: ${METHODS[label.method] ?? label.method}; every spike is kept by minmax, m4 and band`;
}
