/** Numbers, times and durations as people read them. */

const STEPS = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];
const DURATIONS = [
  [31557600e3, "y"],
  [86400e3, "d"],
  [3600e3, "h"],
  [60e3, "min"],
  [1e3, "s"],
  [1, "ms"],
];

/** A value with four significant digits, large ones with k, M, G, T: `3.112 G`; counts below a million are whole. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return count(value).replace("-", "−");
  const [scale, letter] = size >= 1e4 ? STEPS.find(([step]) => size >= step) : [1, ""];
  if (size !== 0 && size < 1e-4) return value.toExponential(digits - 2).replaceAll("-", "−");
  const text = String(Number((value / scale).toPrecision(digits))).replace("-", "−");
  return letter ? `${text}\u202f${letter}` : text;
}

/** A value of any field with its units. */
export function withUnits(value, units) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  const text = number(value);
  if (!units || text === "–") return text;
  if (/[kMGT]$/.test(text) && /^[A-Za-z]{1,2}(\/s)?$/.test(units)) return text + units;
  return `${text}\u202f${units}`;
}

/** Labels of an axis: as many digits as its step needs. */
export function ticks(values) {
  const step = values.length > 1 ? Math.abs(values[1] - values[0]) : Math.abs(values[0] ?? 1);
  const most = Math.max(...values.map(Math.abs), 0);
  if (most && (most < 1e-4 || most >= 1e15)) return values.map((v) => v.toExponential(1).replaceAll("-", "−"));
  const [scale, letter] = most >= 1e4 ? STEPS.find(([s]) => most >= s) : [1, ""];
  const digits = [0, 1, 2, 3, 4, 5, 6, 7].find((n) => Math.abs(Number((step / scale).toFixed(n)) * scale - step) < step * 1e-6) ?? 8;
  return values.map((v) => (v === 0 ? "0" : `${(v / scale).toFixed(digits).replace("-", "−")}${letter && `\u202f${letter}`}`));
}

/** A duration with its two largest units: `1 h 5 min`. */
export function duration(ms) {
  const parts = [];
  let rest = Math.round(ms);
  for (const [size, name] of DURATIONS) {
    if (rest >= size && (parts.length || rest >= size)) {
      const n = Math.floor(rest / size);
      parts.push(`${n}\u202f${name}`);
      rest -= n * size;
    } else if (parts.length) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "0\u202fs";
}

const WIDTHS = [...DURATIONS.slice(1), [1e-3, "µs"], [1e-6, "ns"]];

/** A width in its largest unit, with three significant digits: `17.2 s`. */
export function width(ms) {
  const [size, name] = WIDTHS.find(([each]) => ms >= each) ?? WIDTHS.at(-1);
  return `${Number((ms / size).toPrecision(3))}\u202f${name}`;
}

const two = (n) => String(n).padStart(2, "0");

/** Local time, as precise as `span` (ms on the screen) needs. */
export function moment(ms, span = 0) {
  const d = new Date(Math.round(ms)); // a Date cuts off: times of whole ms come as floats just below
  const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  if (span > 30 * 86400e3) return `${day} ${two(d.getHours())}:${two(d.getMinutes())}`;
  const clock = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return span && span < 20e3 ? `${day} ${clock}.${String(d.getMilliseconds()).padStart(3, "0")}` : `${day} ${clock}`;
}

/** The zone of local times at a moment, as its distance from UTC: `UTC`, `UTC−5`, `UTC+5:30`. */
export function zone(ms) {
  const minutes = -new Date(ms).getTimezoneOffset();
  if (!minutes) return "UTC";
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${size % 60 ? `:${two(size % 60)}` : ""}`;
}

/** How long ago: `12 s ago`. */
export function ago(ms, now) {
  return now - ms < 1500 ? "now" : `${duration(now - ms).split(" ")[0]} ago`;
}

/** A count with thin spaces: `36 000`. */
export function count(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A count to three significant digits, for what is not counted exactly: 36100. */
export function about(n) {
  return n < 1000 ? Math.round(n) : Number(n.toPrecision(3));
}

/** A count with its noun: `1 gap`, `3 gaps`. */
export function counted(n, noun) {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}
