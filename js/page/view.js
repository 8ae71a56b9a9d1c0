/** The stretch of time on the screen: live (it ends now) or fixed. Pure arithmetic, the clock is an argument. */

const SHORTEST = 50; // ms
const AT_NOW = 0.8; // a pointer right of this part of a live screen means now
const LONGEST = 200 * 31557600e3;

export class View {
  constructor(span = 300e3, end = null) {
    this.span = span;
    this.end = end; // ms, or null while live
  }

  get live() {
    return this.end === null;
  }

  /** [from, to] in ms. */
  range(now) {
    const to = this.end ?? now;
    return [to - this.span, to];
  }

  /** Zoom so that the moment at `at` (0 left … 1 right) stays; live goes on, unless one zooms into what is past. */
  zoom(factor, at, now) {
    const [from] = this.range(now);
    const moment = from + at * this.span;
    this.span = Math.max(SHORTEST, Math.min(LONGEST, this.span * factor));
    if (!this.live || (factor < 1 && at < AT_NOW)) this.end = moment + (1 - at) * this.span;
    return this.settle(now);
  }

  /** Move by a part of the screen: negative is back into history. */
  pan(part, now) {
    this.end = (this.end ?? now) + part * this.span;
    return this.settle(now);
  }

  /** Show exactly [from, to]. */
  set(from, to, now) {
    this.span = Math.max(SHORTEST, Math.min(LONGEST, to - from));
    this.end = from + this.span;
    return this.settle(now);
  }

  goLive(span = this.span) {
    this.span = span;
    this.end = null;
    return this;
  }

  /** What would lie in the future is live. */
  settle(now) {
    if (this.end !== null && this.end >= now) this.end = null;
    return this;
  }
}
