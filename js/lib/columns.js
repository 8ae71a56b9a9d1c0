/** Columns as they travel, decoded into what JavaScript works with. */

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Values of one column: numbers as Float64Array (NaN where missing), texts and booleans as arrays (null where missing). */
export function decodeColumn(column) {
  const missing = column.missing ?? null;
  const values = DECODERS[column.dtype]?.(column);
  if (!values) throw new TypeError(`this page cannot read columns of dtype ${column.dtype}: reload it to get a newer one`);
  if (missing) for (let i = 0; i < missing.length; i++) if (missing[i]) values[i] = values instanceof Float64Array ? NaN : null;
  return { values, missing };
}

const DECODERS = {
  "<f8": ({ data }) => new Float64Array(aligned(data)),
  "<i8": ({ data }) => Float64Array.from(new BigInt64Array(aligned(data)), Number),
  "|b1": ({ data }) => Array.from(data, Boolean),
  utf8: texts,
};

/** A copy that starts at a multiple of eight bytes, as typed arrays need. */
function aligned(bytes) {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}

/** Texts lie end to end; where all are ASCII, bytes are characters and one decoding serves all. */
function texts({ data, offsets }) {
  const at = new Uint32Array(aligned(offsets));
  const whole = utf8.decode(data);
  const plain = whole.length === data.length;
  const out = new Array(Math.max(0, at.length - 1));
  for (let i = 0; i < out.length; i++) {
    out[i] = plain ? whole.slice(at[i], at[i + 1]) : utf8.decode(data.subarray(at[i], at[i + 1]));
  }
  return out;
}

/** Join parts of one column, in order. */
export function joinValues(parts) {
  if (parts.length === 1) return parts[0];
  if (!(parts[0] instanceof Float64Array)) return [].concat(...parts);
  const out = new Float64Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
