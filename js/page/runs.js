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

/** The value at a moment, or null. */
export function valueAt(list, moment) {
  return list.findLast((run) => run.from <= moment && moment < run.to)?.value ?? null;
}
