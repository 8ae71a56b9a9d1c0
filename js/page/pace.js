/** How a live view is followed: frame by frame, or, where that is more than the screen can show, in bins at its own rate. */

const DENSE = 2; // samples a pixel above which a view is followed in bins
const SPARSE = 1.5; // below which it no longer is
const FRAMES = 50; // that come between two drawings: more, and the page is too slow for them
const REST = 10e3; // ms for which a page that was too slow takes bins; twice as long each time
const LONGEST_REST = 300e3;
const SECOND = 1e3;
const QUICKEST = 50; // ms from one refresh to the next
const QUICK = 250; // ms
const STEPS = 40; // refreshes while a screen goes by
const SLOWEST = 5e3; // ms: the values in the legend are of now, however wide the bins are

export class Pace {
  binned = false;

  /** @param intervals {timeline: usual seconds between samples, or null} */
  constructor(intervals = {}) {
    this.rates = new Map(Object.entries(intervals).map(([timeline, interval]) => [timeline, interval ? 1 / interval : 0]));
    this.counts = new Map(); // timeline -> [samples, since when]
    this.waiting = 0;
    this.slow = -Infinity;
    this.rest = REST;
    this.took = 0;
  }

  /** A question was answered, and that drawn, within `took` ms. */
  answered(answer, took) {
    this.took = this.woken ? 0 : took; // what was drawn when somebody looked again says nothing of the page
    this.woken = false;
    for (const { of, t, samples } of Object.values(answer.axes)) {
      const lasted = t.length > 2 ? t.at(-1) - t[0] : 0;
      if (lasted > 0) this.rates.set(of, ((samples - 1) * 1e3) / lasted);
    }
  }

  /** A frame with so many samples of a timeline came. */
  came(timeline, samples, now) {
    this.waiting++;
    if (this.waiting > FRAMES && now > this.slow) {
      this.slow = now + this.rest;
      this.rest = Math.min(LONGEST_REST, 2 * this.rest);
    }
    const [n, since] = this.counts.get(timeline) ?? [0, now];
    const over = now - since >= SECOND;
    if (over) this.rates.set(timeline, (n * 1e3) / (now - since));
    this.counts.set(timeline, over ? [samples, now] : [n + samples, since]);
  }

  /** All that came was drawn. */
  drawn() {
    this.waiting = 0;
  }

  /** The page was not looked at, which is no fault of its own. */
  wake() {
    this.waiting = 0;
    this.slow = -Infinity;
    this.rest = REST;
    this.woken = true;
  }

  /** Whether to follow in bins. */
  decide(span, pixels, now) {
    const shown = (Math.max(0, ...this.rates.values()) * span) / 1e3 / pixels;
    this.binned = now < this.slow || shown > (this.binned ? SPARSE : DENSE);
    return this.binned;
  }

  /** ms from one refresh in bins of this width to the next: no more than the screen shows, nor than the page can do. */
  pause(span, width) {
    const quick = Math.max(QUICKEST, Math.min(QUICK, span / STEPS));
    return Math.max(quick, Math.min(SLOWEST, width), 2 * this.took);
  }
}
