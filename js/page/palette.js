/** Colours, from the style sheet, for what is drawn on a canvas. */

const SERIES = 8;
const GOOD = /^(ok|up|on|true|open|running|good|normal)$/i;
const BAD = /^(failed|fail|error|down|alarm|critical|bad)$/i;
const WARN = /^(no data|warning|warn|unknown|degraded|stale)$/i;

/** The value of a custom property of the page. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The colour of the n-th chosen field. */
export function series(n) {
  return colour(`series-${(n % SERIES) + 1}`);
}

/** The colour of a state: the same text has the same colour everywhere. */
export function state(value) {
  const text = String(value);
  if (GOOD.test(text)) return colour("state-good");
  if (BAD.test(text)) return colour("state-bad");
  if (WARN.test(text)) return colour("state-warn");
  if (text === "false" || text === "off") return colour("state-off");
  let hash = 7;
  for (const letter of text) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  return colour(`state-${(hash % 6) + 1}`);
}

/** Call back when the scheme changes between light and dark. */
export function onScheme(callback) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", callback);
}
