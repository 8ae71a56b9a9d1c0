/** Runs of equal texts or booleans: what a band of states is made of. */

const RARE = 0.1; // of the time of all

/** Merge points into runs [{from, to, value}]; the last one lasts until `end`. A null value ends a run. */
export function runs(t, values, end) {
  const out = [];
  for (let i = 0; i < t.length; i++) {
    const last = out.at(-1);
    if (last?.open && values[i] === last.value) continue;
    if (last?.open) {
      last.to = t[i];
      last.open = false;
    }
    if (values[i] !== null) out.push({ from: t[i], to: end, value: values[i], open: true });
  }
  const last = out.at(-1);
  if (last?.open) last.to = Math.max(end, last.from);
  return out;
}

/** How long each value lasted between two times: Map of its text -> ms. */
export function durations(list, from, to) {
  const lasted = new Map();
  for (const run of list) {
    const seen = Math.min(run.to, to) - Math.max(run.from, from);
    if (seen >= 0) lasted.set(String(run.value), (lasted.get(String(run.value)) ?? 0) + seen);
  }
  return lasted;
}

/** The runs of values that lasted only for a small part of the time, longest first: to be painted on top of the others. */
export function rare(list, from, to) {
  const lasted = durations(list, from, to);
  const all = [...lasted.values()].reduce((sum, each) => sum + each, 0);
  const rank = (run) => lasted.get(String(run.value));
  const seen = list.filter((run) => run.to >= from && run.from <= to);
  return seen.filter((run) => rank(run) < RARE * all).sort((a, b) => rank(b) - rank(a));
}

/** The value at a moment, or null. */
export function valueAt(list, moment) {
  return list.findLast((run) => run.from <= moment && moment < run.to)?.value ?? null;
}
