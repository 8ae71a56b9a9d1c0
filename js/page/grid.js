/** Where bins lie: powers of two of nanoseconds wide, so that neighbouring zooms share them, 64 of them a tile. */

const FINEST = 10; // a microsecond: times at the door are no finer
const COARSEST = 52; // 52 days: beyond, widths in ms are not exact
const TILE = 64; // bins

/** The level of the widest bins of which each pixel has at least one. A level is the logarithm of a width in ns. */
export function levelOf(span, pixels) {
  const level = Math.floor(Math.log2((span * 1e6) / pixels));
  return Math.max(FINEST, Math.min(COARSEST, level));
}

/** Width of a bin, ms. */
export function widthOf(level) {
  return 2 ** level / 1e6;
}

/** When the n-th bin since 1970 begins, ms. */
export function edge(level, n) {
  return (n * 2 ** level) / 1e6;
}

/** Which bin a moment is in. */
export function binOf(level, t) {
  let n = Math.floor((t * 1e6) / 2 ** level);
  while (edge(level, n) > t) n--; // what rounding put into a neighbour
  while (edge(level, n + 1) <= t) n++;
  return n;
}

/** When the n-th tile since 1970 begins, ms. */
export function tileEdge(level, n) {
  return edge(level, n * TILE);
}

/** Which tile a moment is in. */
export function tileOf(level, t) {
  return Math.floor(binOf(level, t) / TILE);
}

/** The first place in an ascending list whose value is at least `t`. */
export function lowerBound(list, t, length = list.length) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < t) low = middle + 1;
    else high = middle;
  }
  return low;
}
