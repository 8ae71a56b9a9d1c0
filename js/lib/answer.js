/** An answer: points on their time axes, and the label that says how they came about. */

import { decodeColumn, joinValues } from "./columns.js";
import { fromNs, millisecondsOf } from "./times.js";

const EMPTY = Object.freeze({ t: new Float64Array(0), values: new Float64Array(0), axis: null });

export class Answer {
  /**
   * @param axes {key: {t, of, epoch, seq, finalizedUntil, samples, gaps}}, times in ms
   * @param columns {field: {axis: key, values}}
   * @param label {method, bin and tier (ms or null), notices}
   */
  constructor(axes, columns, label) {
    this.axes = axes;
    this.columns = columns;
    this.label = label;
  }

  /** Times (ms), values and axis of one field; empty where there is no data. */
  series(field) {
    const column = this.columns[field];
    if (!column) return EMPTY;
    const axis = this.axes[column.axis];
    return { t: axis.t, values: column.values, axis };
  }

  /** Number of samples behind all points. */
  get samples() {
    return Object.values(this.axes).reduce((n, axis) => n + axis.samples, 0);
  }

  /** The same answer without the first `n` rows of one axis. */
  without(key, n) {
    const axis = this.axes[key];
    const axes = { ...this.axes, [key]: { ...axis, t: axis.t.slice(n), samples: Math.max(0, axis.samples - n) } };
    const cut = ([name, column]) => [name, column.axis === key ? { ...column, values: column.values.slice(n) } : column];
    return new Answer(axes, Object.fromEntries(Object.entries(this.columns).map(cut)), this.label);
  }

  /** The same answer with only these fields; axes without any stay, for they tell what was accounted for. */
  only(fields) {
    const kept = Object.entries(this.columns).filter(([name]) => fields.includes(name));
    return new Answer(this.axes, Object.fromEntries(kept), this.label);
  }

  /** The same answer with one more notice, the first. */
  noting(notice) {
    return new Answer(this.axes, this.columns, { ...this.label, notices: [notice, ...this.label.notices] });
  }

  /** Whether there is any point in it. */
  get empty() {
    return Object.values(this.columns).every(({ values }) => !values.length);
  }
}

/** Decode one typed answer or live frame. */
export function decodeAnswer(raw) {
  if (raw === false) throw new TypeError("the answer is too large for one message: ask for a shorter time or fewer points");
  if (raw?.v !== 1) throw new TypeError(`this page reads answers of version 1, not ${raw?.v}: reload it to get a newer one`);
  const axes = {};
  for (const [key, axis] of Object.entries(raw.timelines)) axes[key] = decodeAxis(key, axis);
  const columns = {};
  for (const [field, column] of Object.entries(raw.data)) {
    columns[field] = { axis: column.timeline, values: decodeColumn(column).values };
  }
  const label = raw.label ?? {};
  return new Answer(axes, columns, {
    method: label.method ?? "raw",
    bin: fromNs(label.bin),
    tier: fromNs(label.tier),
    notices: label.notices ?? [],
  });
}

function decodeAxis(key, axis) {
  const t = millisecondsOf(axis.t.data);
  return {
    t,
    of: axis.of ?? key.split("::")[0],
    epoch: axis.epoch ?? null,
    seq: axis.seq ?? null,
    finalizedUntil: fromNs(axis.finalized_until),
    samples: axis.samples ?? t.length,
    gaps: (axis.gaps ?? []).map(([from, to]) => [fromNs(from), fromNs(to)]),
  };
}

/** Join the parts in which a large answer came: each holds the next rows, and says what lies behind the whole. */
export function joinAnswers(parts) {
  if (parts.length === 1) return parts[0];
  const last = parts.at(-1);
  const axes = {};
  for (const key of new Set(parts.flatMap((part) => Object.keys(part.axes)))) {
    const those = parts.map((part) => part.axes[key]).filter(Boolean);
    axes[key] = { ...those.at(-1), t: joinValues(those.map((axis) => axis.t)) };
  }
  const columns = {};
  for (const field of new Set(parts.flatMap((part) => Object.keys(part.columns)))) {
    const those = parts.map((part) => part.columns[field]).filter(Boolean);
    columns[field] = { axis: those[0].axis, values: joinValues(those.map((column) => column.values)) };
  }
  const notices = [...new Set(parts.flatMap((part) => part.label.notices))];
  return new Answer(axes, columns, { ...last.label, notices });
}
