/** Milliseconds in JavaScript, seconds at the door, int64 nanoseconds on the wire. */

/** Convert milliseconds (positive: since 1970, zero or less: ago, null: no bound) to the two seconds of the door. */
export function toDoor(start, end) {
  if (start === null && end === null) return [1, 0];
  return [start === null ? 1 : start / 1000, end === null ? 0 : end / 1000];
}

/** Convert nanoseconds as they travel (number or BigInt, or null) to milliseconds. */
export function fromNs(ns) {
  return ns === null || ns === undefined ? null : Number(ns) / 1e6;
}

/**
 * Convert a width in ms to whole nanoseconds, the nearest (exact up to 2^52 ns, 52 days), or throw with the cure.
 * A number that is no safe integer would travel as a float, and a BigInt under a tag, which the router refuses.
 */
export function widthNs(ms) {
  const whole = Math.floor(ms);
  const ns = whole * 1e6 + Math.round((ms - whole) * 1e6);
  if (Number.isSafeInteger(ns) && ns >= 1) return ns;
  throw new TypeError(`bins of ${ms} ms cannot be asked for: they last from a nanosecond to 104 days`);
}

/** A time for people, to the second, as nodes say it: `2026-01-31 23:59:59 UTC`. */
export function utc(ms) {
  return new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
}

/** Decode little-endian int64 nanoseconds into milliseconds, exact to the microsecond. */
export function millisecondsOf(bytes) {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float64Array(bytes.byteLength / 8);
  for (let i = 0; i < out.length; i++) {
    out[i] = words.getInt32(8 * i + 4, true) * 4294.967296 + words.getUint32(8 * i, true) / 1e6;
  }
  return out;
}
