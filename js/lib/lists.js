/** Answers as lists, which nodes in the old way give: decoded into what all others give. */

import { Answer } from "./answer.js";

/** Decode `{"data": {field: [values]}, "timeline": {timeline: {"t", "finalized_until"}}}`; `fields` says which is on which. */
export function decodeLists(raw, fields) {
  if (raw === false) throw new TypeError("the answer is too large for one message: ask for a shorter time or fewer fields");
  const axes = {};
  for (const [name, { t, finalized_until: until }] of Object.entries(raw.timeline)) {
    axes[name] = {
      t: Float64Array.from(t, (seconds) => seconds * 1000),
      of: name,
      epoch: null,
      seq: null,
      finalizedUntil: until === null || until === undefined ? null : until * 1000,
      samples: t.length,
      gaps: [],
    };
  }
  const columns = {};
  for (const [name, values] of Object.entries(raw.data)) {
    const axis = fields[name]?.timeline;
    if (values.length && axes[axis]) columns[name] = { axis, values: decodeList(values, fields[name].type) };
  }
  return new Answer(axes, columns, { method: "raw", bin: null, tier: null, notices: [] });
}

function decodeList(values, type) {
  return type === "number" ? Float64Array.from(values, (value) => (typeof value === "number" ? value : NaN)) : [...values];
}
