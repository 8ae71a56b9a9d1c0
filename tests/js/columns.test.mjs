/** What travels is decoded exactly, also where it lies at an odd place in memory. */

import assert from "node:assert/strict";
import test from "node:test";
import { decodeAnswer, joinAnswers } from "../../js/lib/answer.js";
import { decodeColumn } from "../../js/lib/columns.js";
import { decodeLists } from "../../js/lib/lists.js";
import { toDoor, utc, widthNs } from "../../js/lib/times.js";

/** Bytes of a typed array, one byte off any alignment, as a CBOR decoder hands them out. */
function odd(array) {
  const bytes = new Uint8Array(array.byteLength + 1);
  bytes.set(new Uint8Array(array.buffer), 1);
  return bytes.subarray(1);
}

test("numbers, with NaN where they are missing", () => {
  const { values } = decodeColumn({ dtype: "<f8", data: odd(Float64Array.of(1.5, 0, -2)), missing: Uint8Array.of(0, 1, 0) });
  assert.deepEqual([...values], [1.5, NaN, -2]);
  const whole = decodeColumn({ dtype: "<i8", data: odd(BigInt64Array.of(-7n, 2n ** 52n)) });
  assert.deepEqual([...whole.values], [-7, 2 ** 52]);
});

test("texts in any script, with null where they are missing", () => {
  const words = ["", "naïve", "温度", "🙂", "\ufeffbom"];
  const parts = words.map((word) => new TextEncoder().encode(word));
  const offsets = Uint32Array.from([0, ...parts.map((_, i) => parts.slice(0, i + 1).reduce((n, part) => n + part.length, 0))]);
  const data = Uint8Array.from(parts.flatMap((part) => [...part]));
  const column = { dtype: "utf8", data, offsets: odd(offsets), missing: Uint8Array.of(1, 0, 0, 0, 0) };
  assert.deepEqual(decodeColumn(column).values, [null, ...words.slice(1)]);
});

test("booleans", () => {
  assert.deepEqual(decodeColumn({ dtype: "|b1", data: Uint8Array.of(1, 0) }).values, [true, false]);
});

test("a dtype of the future is refused with a cure", () => {
  assert.throws(() => decodeColumn({ dtype: "<f2", data: new Uint8Array() }), /<f2: reload/);
});

const axis = (t, more) => ({ t: { dtype: "<i8", data: odd(BigInt64Array.from(t)) }, of: "s", epoch: "e", samples: 4, gaps: [], finalized_until: null, ...more });
const numbers = (values) => ({ dtype: "<f8", data: odd(Float64Array.from(values)), timeline: "s" });
const label = { method: "raw", bin: null, notices: [] };

test("times are exact to the microsecond, before 1970 too", () => {
  const t = [1_763_640_000_123_457_000n, -1_500_000n];
  const answer = decodeAnswer({ v: 1, timelines: { s: axis(t) }, data: { x: numbers([1, 2]) }, label });
  assert.ok(Math.abs(answer.axes.s.t[0] - 1763640000123.457) < 0.0005);
  assert.equal(answer.axes.s.t[1], -1.5);
});

test("an answer in parts is one", () => {
  const parts = [[[1n, 2n], [1, 2], 2], [[3n, 4n], [3, 4], 4]].map(([t, values, seq]) =>
    decodeAnswer({ v: 1, timelines: { s: axis(t, { seq }) }, data: { x: numbers(values) }, label }),
  );
  const whole = joinAnswers(parts);
  assert.deepEqual([...whole.series("x").values], [1, 2, 3, 4]);
  assert.equal(whole.axes.s.seq, 4);
  assert.equal(whole.samples, 4);
});

test("an answer that was too large, and one of another version, are told", () => {
  assert.throws(() => decodeAnswer(false), /too large/);
  assert.throws(() => decodeAnswer({ v: 2 }), /version 1/);
});

test("answers in lists become the same", () => {
  const raw = { data: { x: [1, null], gone: [] }, timeline: { s: { t: [10, 11.5], finalized_until: null } } };
  const { t, values } = decodeLists(raw, { x: { timeline: "s", type: "number" } }).series("x");
  assert.deepEqual([[...t], [...values]], [[10000, 11500], [1, NaN]]);
});

test("times at the door", () => {
  assert.deepEqual(toDoor(null, null), [1, 0]);
  assert.deepEqual(toDoor(-5000, 0), [-5, 0]);
  assert.deepEqual(toDoor(null, 2000), [1, 2]);
});

test("widths of bins travel as whole nanoseconds, exact also where a float of milliseconds is coarse", () => {
  for (let k = 0; k <= 52; k++) assert.equal(widthNs(2 ** k / 1e6), 2 ** k);
  assert.equal(widthNs(0.001), 1000);
  assert.throws(() => widthNs(2 ** 54 / 1e6), /104 days/);
  for (const none of [0, -1, NaN, Infinity, 1e-7]) assert.throws(() => widthNs(none), /a nanosecond/);
});

test("a label says from which stored bins its own were made", () => {
  const raw = { v: 1, timelines: { s: axis([1n]) }, data: { x: numbers([1]) }, label: { method: "band", bin: 2 ** 34, tier: 2 ** 31, notices: [] } };
  assert.deepEqual(decodeAnswer(raw).label, { method: "band", bin: 17179.869184, tier: 2147.483648, notices: [] });
  assert.equal(decodeAnswer({ ...raw, label }).label.tier, null);
});

test("a time for people", () => {
  assert.equal(utc(1769903999999), "2026-01-31 23:59:59 UTC");
});
