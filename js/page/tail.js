/** Live samples as they came, behind what is known in bins. */

import { apart, isBreak } from "./points.js";

const TRIM = 200; // samples that bins tell of before they are let go
const MISSING = NaN; // in v where a sample has no text or boolean; null is a silence
const MOST = 1e5; // samples that are kept, whatever becomes of the bins

export class Tail {
  t = [];
  v = [];
  begun = Infinity; // when it began, by the page's clock: bins that were asked before know less

  /** Samples follow from now on; what came before stays until bins tell of it. */
  begin(now) {
    this.begun = now;
  }

  /** Nothing follows any more. */
  end() {
    this.begun = Infinity;
  }

  /** Add samples; `interval` is the usual one (ms), null where there is none. */
  append({ t, values }, interval) {
    for (let i = 0; i < t.length; i++) {
      if (values[i] === null) this.push(t[i], MISSING);
      if (isBreak(values[i])) continue;
      const last = this.t.at(-1);
      if (last !== undefined && apart(last, t[i], interval, 0)) this.push((last + t[i]) / 2, null);
      this.push(t[i], values[i]);
    }
    if (this.t.length > MOST) this.drop(MOST / 2);
  }

  /** The newest sample, {t, value}: null where it has none; null without samples. */
  get last() {
    if (!this.t.length) return null;
    const value = this.v.at(-1);
    return { t: this.t.at(-1), value: isBreak(value) ? null : value };
  }

  push(t, value) {
    this.t.push(t);
    this.v.push(value);
  }

  /** Bins that were asked at `asked` tell of all before `until`: forget it. */
  trim(until, asked) {
    const first = this.t.findIndex((t) => t >= until);
    const gone = first < 0 ? this.t.length : first;
    if (gone <= TRIM) return;
    this.drop(gone);
    if (this.begun < asked) this.begun = asked;
  }

  drop(n) {
    this.t.splice(0, n);
    this.v.splice(0, n);
  }
}
