/** Axes that all charts share, so that their times lie above each other. */

import { ticks } from "./format.js";
import { colour } from "./palette.js";

const DAY = 86400e3;
const DATE = "\n{D} {MMM} {YYYY}";
const TIMES = [
  [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * DAY, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600e3, "{HH}:00", DATE, null, DATE, null, null, null, 1],
  [60e3, "{HH}:{mm}", DATE, null, DATE, null, null, null, 1],
  [1e3, "{HH}:{mm}:{ss}", DATE, null, DATE, null, null, null, 1],
  [1, "{ss}.{fff}", "\n{HH}:{mm}", null, "\n{HH}:{mm}", null, "\n{HH}:{mm}", null, 1],
];
const FONT = "11px Inter, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

/** The axis of time; without labels where another chart below has them. */
export function timeAxis(width) {
  return {
    values: TIMES,
    font: FONT,
    stroke: () => colour("muted"),
    grid: { stroke: () => colour("grid"), width: 1 },
    ticks: { stroke: () => colour("grid"), width: 1, size: 4 },
    size: 40,
    space: width < 480 ? 50 : 76,
  };
}

/** The axis of values; without labels while `blank()`. */
export function valueAxis(width, blank) {
  return {
    values: (_, values) => (blank() ? values.map(() => "") : ticks(values)),
    font: FONT,
    stroke: () => colour("muted"),
    grid: { stroke: () => colour("grid"), width: 1 },
    ticks: { show: false },
    gap: 6,
    size: axisSize(width),
    space: 27,
  };
}

/** Width of the axis of values: narrow screens have less to give. */
export function axisSize(width) {
  return width < 480 ? 46 : 58;
}

/** Room to the right of the plot, for half of the last label of time. */
export function rightRoom(width) {
  return width < 480 ? 18 : 26;
}

export { FONT };
