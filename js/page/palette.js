/** Colours, from the style sheet, for what is drawn on a canvas. */

const SERIES = 8;
const STATES = 10;
const SHADES = 4; // of a colour that has a meaning
const MEANINGS = {
  good: ["ok", "true", "open", "on", "up", "running", "good", "normal"],
  bad: ["failed", "alarm", "error", "down", "fail", "critical", "bad"],
  warn: ["no data", "warning", "unknown", "degraded", "warn", "stale"],
  off: ["off", "false", "closed", "idle"],
};

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

const slots = new Map(); // meaning -> text -> which of its colours it has

/** The colour of a state: the same text has the same colour everywhere, two texts have two while there are enough. */
export function state(value) {
  const text = String(value);
  const word = text.toLowerCase();
  const meaning = Object.keys(MEANINGS).find((each) => MEANINGS[each].includes(word));
  if (!meaning) return colour(`state-${slotOf("", text, hash(text), STATES) + 1}`);
  const shade = slotOf(meaning, text, MEANINGS[meaning].indexOf(word), SHADES);
  return colour(shade ? `state-${meaning}-${shade + 1}` : `state-${meaning}`);
}

/** The colour of a text among the `many` of its meaning: the one it wants, or the next one that nothing has. */
function slotOf(meaning, text, wanted, many) {
  if (!slots.has(meaning)) slots.set(meaning, new Map());
  const known = slots.get(meaning);
  if (!known.has(text)) {
    const taken = new Set(known.values());
    const order = Array.from({ length: many }, (_, i) => (wanted + i) % many);
    known.set(text, order.find((slot) => !taken.has(slot)) ?? order[0]);
  }
  return known.get(text);
}

function hash(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum;
}

/** Call back when the scheme changes between light and dark. */
export function onScheme(callback) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    known.clear();
    callback();
  });
}
