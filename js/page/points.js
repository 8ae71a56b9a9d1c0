/** The points of one field as they are drawn: without what is missing, with a break where there is a gap. */

const BREAK = 3; // usual intervals without a sample that break a line
const FEW = 3; // samples below which an answer knows of no gaps

/** Whether a value of a line is a break, or missing. */
export function isBreak(value) {
  return value === null || value === undefined || value !== value;
}

/** Whether a line breaks between two points: `interval` is the usual one (ms or null), bins are `width` ms wide. */
export function apart(before, after, interval, width) {
  return interval !== null && after - before > Math.max(BREAK * interval, 2 * width);
}

/**
 * Points of a series of an answer: {t, v, points, samples, raw, changes, gaps, records}. Numbers are typed arrays, a NaN
 * in v is a break; of texts and booleans it is null, and lies where a state ended: at a sample without a value, or where
 * a gap begins. `raw`: the points are all samples. `changes`: only where a text changes there is a point. `records`: many
 * samples at a time.
 */
export function pointsOf({ t, values, axis }, interval = null, width = 0) {
  const numbers = values instanceof Float64Array;
  const gaps = axis?.gaps ?? [];
  const records = sameTimes(t);
  const line = new Line(numbers, 2 * t.length + gaps.length);
  const far = BREAK * medianStep(t);
  const few = t.length < FEW && !records;
  let gap = 0;
  let skipped = false;
  const pause = (stretch, next) => (numbers ? line.breakAt(middle(stretch)) : line.pause(stretch, next));
  for (let i = 0; i < t.length; i++) {
    while (gap < gaps.length && middle(gaps[gap]) < t[i]) pause(gaps[gap++], t[i]);
    if (isBreak(values[i])) {
      if (numbers) skipped = true;
      else line.breakAt(t[i]);
      continue;
    }
    const hole = (skipped && t[i] - line.last > far) || (few && apart(line.last, t[i], interval, width));
    if (hole) line.breakAt((line.last + t[i]) / 2);
    skipped = false;
    line.push(t[i], values[i]);
  }
  if (!numbers) while (gap < gaps.length) pause(gaps[gap++], Infinity);
  const samples = axis?.samples ?? 0;
  const raw = samples === t.length;
  return { ...line.done(), samples, raw, changes: !raw && values.some((value) => typeof value === "string"), gaps, records };
}

/** A line that grows, in memory that is used again. */
export class Line {
  constructor(numbers, room = 0) {
    this.numbers = numbers;
    this.room = -1;
    this.clear(room);
  }

  /** Begin anew, with room for so many entries. */
  clear(room) {
    if (room > this.room) {
      this.room = Math.ceil(room * 1.25);
      this.t = new Float64Array(this.room);
      this.v = this.numbers ? new Float64Array(this.room) : new Array(this.room);
    }
    this.length = this.points = 0;
  }

  /** Time of the last entry; NaN, which is far from nothing, where there is none. */
  get last() {
    return this.length ? this.t[this.length - 1] : NaN;
  }

  push(t, value) {
    this.t[this.length] = t;
    this.v[this.length++] = value;
    this.points++;
  }

  /** A line begins with a break only where it is one of states: there it ends that of an earlier line. */
  breakAt(t) {
    if (this.length ? isBreak(this.v[this.length - 1]) : this.numbers) return;
    this.t[this.length] = t;
    this.v[this.length++] = this.numbers ? NaN : null;
  }

  /** A state ends where a gap begins; a text, of which only changes are known, is after it what it was, up to `next`. */
  pause([from, to], next) {
    const value = this.length ? this.v[this.length - 1] : null;
    if (value === null) return;
    this.breakAt(from);
    if (typeof value === "string" && to < next) this.push(to, value);
  }

  /** Add entries [first, end) of another line. */
  add({ t, v }, first, end) {
    this.t.set(t.subarray(first, end), this.length);
    if (this.numbers) this.v.set(v.subarray(first, end), this.length);
    else for (let i = first; i < end; i++) this.v[this.length + i - first] = v[i];
    this.length += Math.max(0, end - first);
  }

  done() {
    const { length, points } = this;
    return { t: this.t.subarray(0, length), v: this.numbers ? this.v.subarray(0, length) : this.v.slice(0, length), points };
  }
}

/** How many of the entries [first, end) are points. */
export function countPoints({ v }, first = 0, end = v.length) {
  let n = 0;
  for (let i = first; i < end; i++) if (!isBreak(v[i])) n++;
  return n;
}

function middle([from, to]) {
  return (from + to) / 2;
}

/** Whether samples come many at a time, as records do: then a mean interval says nothing about gaps. */
function sameTimes(t) {
  let same = 0;
  for (let i = 1; i < t.length; i++) if (t[i] === t[i - 1]) same++;
  return same > t.length / 4;
}

function medianStep(t) {
  if (t.length < FEW) return Infinity;
  const steps = [];
  const every = Math.max(1, Math.floor(t.length / 500));
  for (let i = every; i < t.length; i += every) steps.push(t[i] - t[i - 1]);
  return steps.sort((a, b) => a - b)[steps.length >> 1] || Infinity;
}
