/** Runs of equal texts or booleans: what a band of states is made of. */

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

/** The runs between two times, those of the values that lasted longest first: what is painted last lies on top. */
export function rareLast(list, from, to) {
  const lasted = durations(list, from, to);
  const rank = (run) => lasted.get(String(run.value));
  return list.filter((run) => run.to >= from && run.from <= to).sort((a, b) => rank(b) - rank(a));
}

/** The value at a moment, or null. */
export function valueAt(list, moment) {
  return list.findLast((run) => run.from <= moment && moment < run.to)?.value ?? null;
}
