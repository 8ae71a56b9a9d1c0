/** The points of one field on the screen: a history, then live samples behind it, with breaks where there are gaps. */

const BREAK = 3; // usual intervals without a sample that break a line

export class Trace {
  constructor() {
    this.t = [];
    this.v = [];
    this.axis = null;
    this.interval = null;
    this.appended = 0;
    this.gaps = 0;
    this.records = false;
  }

  /** Start anew with the points of an answer; `interval` (ms) is the usual one between samples, or null. */
  replace({ t, values, axis }, interval) {
    this.t = [];
    this.v = [];
    this.appended = 0;
    this.axis = axis;
    this.records = sameTimes(t);
    this.interval = this.records ? null : interval;
    this.gaps = axis?.gaps.length ?? 0;
    const far = BREAK * medianStep(t);
    const gaps = (axis?.gaps ?? []).map(([from, to]) => (from + to) / 2);
    let gap = 0;
    let skipped = false;
    for (let i = 0; i < t.length; i++) {
      while (gap < gaps.length && gaps[gap] < t[i]) this.breakAt(gaps[gap++]);
      if (isMissing(values[i])) {
        skipped = true;
        continue;
      }
      if (skipped && this.t.length && t[i] - this.t.at(-1) > far) this.breakAt((this.t.at(-1) + t[i]) / 2);
      skipped = false;
      this.push(t[i], values[i]);
    }
  }

  /** Add live samples. */
  append({ t, values, axis }) {
    this.axis ??= axis;
    for (let i = 0; i < t.length; i++) {
      if (isMissing(values[i])) continue;
      const last = this.t.at(-1);
      if (this.interval && last !== undefined && t[i] - last > BREAK * this.interval) {
        this.breakAt((last + t[i]) / 2);
        this.gaps++;
      }
      this.push(t[i], values[i]);
      this.appended++;
    }
  }

  /** Forget what has left the screen, but for one point that its line comes from. */
  trim(from) {
    const first = this.t.findIndex((t) => t >= from) - 1;
    if (first > 200) {
      this.t.splice(0, first);
      this.v.splice(0, first);
    }
  }

  /** The last value and its time, or null. */
  get last() {
    for (let i = this.t.length - 1; i >= 0; i--) if (this.v[i] !== null) return { t: this.t[i], value: this.v[i] };
    return null;
  }

  /** Until when the points tell what there was, ms, or null. */
  get until() {
    const last = this.t.at(-1);
    return last === undefined ? null : Math.max(last, this.axis?.finalizedUntil ?? last);
  }

  /** Number of points in [from, to]. */
  between(from, to) {
    let n = 0;
    for (let i = 0; i < this.t.length; i++) if (this.v[i] !== null && this.t[i] >= from && this.t[i] <= to) n++;
    return n;
  }

  /** Number of samples behind the points. */
  get samples() {
    return (this.axis?.samples ?? 0) + this.appended;
  }

  breakAt(t) {
    if (this.v.length && this.v.at(-1) !== null) this.push(t, null);
  }

  /** Equal times are not equal samples: each keeps a place of its own on the axis. */
  push(t, value) {
    const last = this.t.at(-1);
    this.t.push(last !== undefined && t <= last ? last + 0.001 : t);
    this.v.push(value);
  }
}

/** Whether samples come many at a time, as records do: then a mean interval says nothing about gaps. */
function sameTimes(t) {
  let same = 0;
  for (let i = 1; i < t.length; i++) if (t[i] === t[i - 1]) same++;
  return same > t.length / 4;
}

function isMissing(value) {
  return value === null || value === undefined || Number.isNaN(value);
}

function medianStep(t) {
  if (t.length < 3) return Infinity;
  const steps = [];
  const every = Math.max(1, Math.floor(t.length / 500));
  for (let i = every; i < t.length; i += every) steps.push(t[i] - t[i - 1]);
  return steps.sort((a, b) => a - b)[steps.length >> 1] || Infinity;
}
