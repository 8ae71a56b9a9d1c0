/** The label of a picture: how its points came about, and what lies behind them. */

import { about, counted, width } from "./format.js";

const BLIND = 3; // bins: shorter stretches without samples are not seen in them
const METHODS = {
  minmax: "least and greatest of each bin",
  m4: "first, last, least and greatest of each bin",
  mean: "mean of each bin",
  band: "least, greatest and mean of each bin",
  lttb: "chosen points (lttb)",
  stride: "samples a stride apart",
};

/** One line about the summaries of the traces of a chart; `texts`: these are drawn by their changes. */
export function describe(summaries, texts = false) {
  const filled = summaries.filter(({ points, samples }) => points || samples >= 0.5);
  const points = total(filled, "points");
  if (!filled.length) return "no samples here";
  const parts = filled.every(({ raw }) => raw) ? ["raw", `all ${counted(points, "sample")}`] : reduced(filled, points, texts);
  return [...parts, missing(filled)].join(" · ");
}

function reduced(filled, points, texts) {
  const exact = filled.every((each) => each.exact);
  const samples = total(filled, "samples");
  const behind = exact ? counted(Math.round(samples), "sample") : `about ${counted(about(samples), "sample")}`;
  const methods = [...new Set(filled.flatMap((each) => [...each.methods]))].map((method) => (texts && method === "minmax" ? "changes" : method));
  const bin = most(filled, "bin");
  const tier = most(filled, "tier");
  return [
    methods.join(", "),
    points ? `${behind} in ${counted(points, "point")}` : `${behind} without a change`,
    ...(bin ? [`bins of ${width(bin)}${filled.some((each) => each.sharper) ? " for now" : ""}`] : []),
    tier ? `from stored bins of ${width(tier)}` : "from the samples",
  ];
}

function missing(filled) {
  const gaps = most(filled, "gaps");
  const more = filled.some((each) => each.most) ? "at least " : "";
  if (gaps) return `${more}${counted(gaps, "gap")}`;
  const bin = most(filled, "bin");
  return bin ? `no gaps longer than ${width(BLIND * bin)}` : "no gaps";
}

function total(filled, what) {
  return filled.reduce((n, each) => n + each[what], 0);
}

function most(filled, what) {
  return Math.max(0, ...filled.map((each) => each[what] ?? 0));
}

/** What the methods do, for whoever points at the label. */
export function explain(summaries) {
  const methods = new Set(summaries.flatMap((each) => [...each.methods]));
  if (!methods.size) return "every sample is drawn";
  const drawn = [...methods].map((method) => METHODS[method] ?? method).join("; ");
  return `drawn: ${drawn}; every spike is kept by minmax, m4 and band`;
}
