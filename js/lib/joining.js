/** Joins history and live frames of one timeline exactly once, by the identity (epoch, seq) of its samples. */

export class Joining {
  constructor() {
    this.epoch = null;
    this.seq = null;
    this.last = -Infinity; // time of the last sample taken, ms
  }

  /** Whether an answer said which samples it accounts for. */
  get known() {
    return this.seq !== null;
  }

  /** Account for an answer or a frame: all samples up to its seq are taken; an older one changes nothing. */
  settle(axis) {
    if (axis.seq !== null) {
      this.seq = axis.epoch === this.epoch ? Math.max(this.seq, axis.seq) : axis.seq;
      this.epoch = axis.epoch;
    }
    if (axis.t.length) this.last = Math.max(this.last, axis.t.at(-1));
  }

  /**
   * Decide on a live frame.
   * Returns the number of leading rows that are known already; null if samples before the frame are missing.
   */
  place(axis) {
    if (axis.seq === null) return axis.t.findLastIndex((t) => t <= this.last) + 1;
    const first = axis.seq - axis.t.length;
    if (!this.known) return 0;
    if (axis.epoch !== this.epoch || first > this.seq) return null;
    return clamp(this.seq - first, axis.t.length);
  }

  /**
   * The number of leading rows of an answer that are known already: by sequence where the rows are the
   * samples themselves, else by time. A node that understood `since` sends none.
   */
  doubles(axis) {
    const raw = axis.samples === axis.t.length;
    if (axis.seq !== null && axis.epoch === this.epoch) return raw ? clamp(this.seq - (axis.seq - axis.t.length), axis.t.length) : 0;
    return axis.t.findLastIndex((t) => t <= this.last) + 1;
  }

  /** What to give as `since` to get the rest, or null where nothing is known yet. */
  get since() {
    return this.known ? [this.epoch, this.seq] : null;
  }
}

function clamp(n, most) {
  return Math.max(0, Math.min(most, n));
}
