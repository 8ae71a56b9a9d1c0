/** What every chart has in common: its place, the cursor that all share, its end. */

export class Chart {
  /** @param place element  @param names labels of the fields  @param shared {range, sync, onCursor} */
  constructor(place, names, shared) {
    Object.assign(this, { place, names, shared, plot: null });
  }

  /** The moment under the cursor, or null. */
  get at() {
    const left = this.plot?.cursor.left ?? -1;
    return left < 0 ? null : this.plot.posToVal(left, "x");
  }

  /** uPlot's options that do not depend on what is drawn; `y` is the scale of values. */
  frame(width, height, y) {
    const { range, sync, onCursor } = this.shared;
    const [min, max] = range();
    return {
      width,
      height,
      ms: 1,
      tzDate: (t) => new Date(Math.floor(t)), // uPlot rounds up half a millisecond, and then each label is that of the tick before
      legend: { show: false },
      select: { show: false },
      cursor: { drag: { x: false, y: false, setScale: false }, sync: { key: sync, scales: ["x", null] }, points: { size: 6 }, y: false },
      scales: { x: { time: true, auto: false, min, max }, y: { auto: false, ...y } },
      hooks: { setCursor: [() => onCursor()] },
    };
  }

  redraw() {
    this.plot?.redraw(false, true);
  }

  destroy() {
    this.plot?.destroy();
    this.plot = null;
  }
}
