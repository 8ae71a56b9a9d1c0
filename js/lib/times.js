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

/** Decode little-endian int64 nanoseconds into milliseconds, exact to the microsecond. */
export function millisecondsOf(bytes) {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float64Array(bytes.byteLength / 8);
  for (let i = 0; i < out.length; i++) {
    out[i] = words.getInt32(8 * i + 4, true) * 4294.967296 + words.getUint32(8 * i, true) / 1e6;
  }
  return out;
}
