/** Colours, from the style sheet, for what is drawn on a canvas. */

const SERIES = 8;
const STATES = 10;
const GOOD = /^(ok|up|on|true|open|running|good|normal)$/i;
const BAD = /^(failed|fail|error|down|alarm|critical|bad)$/i;
const OFF = /^(off|false|closed|idle)$/i;
const WARN = /^(no data|warning|warn|unknown|degraded|stale)$/i;

const known = new Map(); // custom properties of the page: asking for one has everything styled anew

/** The value of a custom property of the page. */
export function colour(name) {
  if (!known.has(name)) known.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return known.get(name);
}

/** The colour of the n-th chosen field. */
export function series(n) {
  return colour(`series-${(n % SERIES) + 1}`);
}

const slots = new Map(); // text -> which of the colours for states it has

/** The colour of a state: the same text has the same colour everywhere, two texts have two while there are enough. */
export function state(value) {
  const text = String(value);
  if (GOOD.test(text)) return colour("state-good");
  if (BAD.test(text)) return colour("state-bad");
  if (WARN.test(text)) return colour("state-warn");
  if (OFF.test(text)) return colour("state-off");
  if (!slots.has(text)) slots.set(text, freeSlot(text));
  return colour(`state-${slots.get(text) + 1}`);
}

/** The slot that the text's hash names, or the next one that nothing has. */
function freeSlot(text) {
  let hash = 7;
  for (const letter of text) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  const taken = new Set(slots.values());
  for (let i = 0; i < STATES; i++) if (!taken.has((hash + i) % STATES)) return (hash + i) % STATES;
  return hash % STATES;
}

/** Call back when the scheme changes between light and dark. */
export function onScheme(callback) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    known.clear();
    callback();
  });
}
