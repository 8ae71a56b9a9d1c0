/** The arithmetic of the page: views, points with breaks, runs of states, words. */

import assert from "node:assert/strict";
import test from "node:test";
import * as address from "../../js/page/address.js";
import { about, duration, moment, number, ticks, width, withUnits, zone } from "../../js/page/format.js";
import { rare, runs, valueAt } from "../../js/page/runs.js";
import { tokenOf } from "../../js/page/signin.js";
import { View } from "../../js/page/view.js";

const plain = (text) => text.replaceAll("\u202f", " ");

test("zooming keeps the moment under the pointer, and a live view live", () => {
  const fixed = new View(100, 1000).zoom(2, 0.25, 5000);
  assert.deepEqual(fixed.range(5000), [875, 1075]);
  const live = new View(100).zoom(4, 0.1, 5000);
  assert.deepEqual(live.range(5000), [4600, 5000]);
  assert.ok(live.live);
  assert.ok(new View(100).zoom(0.5, 0.9, 5000).live);
  assert.deepEqual(new View(100).zoom(0.5, 0.5, 5000).range(9999), [4925, 4975]);
});

test("moving back leaves live, moving past now returns to it", () => {
  const view = new View(1000).pan(-0.5, 10_000);
  assert.deepEqual(view.range(10_000), [8500, 9500]);
  assert.ok(view.pan(0.6, 10_000).live);
});

test("runs of equal states end at a change, at a break, and at the end", () => {
  const list = runs([0, 1, 2, 3, 4], ["a", "a", "b", null, "b"], 6);
  assert.deepEqual(list.map(({ from, to, value }) => [from, to, value]), [[0, 2, "a"], [2, 3, "b"], [4, 6, "b"]]);
  assert.equal(valueAt(list, 3.5), null);
  assert.equal(valueAt(list, 5), "b");
});

test("rare states are painted once more on top, the rarest last; two that take turns are not", () => {
  const list = runs([0, 50, 51, 90, 95], ["fine", "ALARM", "fine", "off", "fine"], 100);
  assert.deepEqual(rare(list, 0, 100).map(({ value }) => value), ["off", "ALARM"]);
  assert.deepEqual(rare(list, 0, 60).map(({ value }) => value), ["ALARM"]);
  assert.deepEqual(rare(runs([0, 1, 2, 3], ["odd", "even", "odd", "even"], 4), 0, 4), []);
});

test("numbers and durations as people read them", () => {
  assert.equal(plain(withUnits(3.1123e9, "B")), "3.112 GB");
  assert.equal(plain(withUnits(37110, "files")), "37 110 files");
  assert.equal(withUnits(NaN, "V"), "–");
  assert.equal(number(-0.0000123), "−1.23e−5");
  assert.deepEqual(ticks([0, 0.5, 1]), ["0", "0.5", "1.0"]);
  assert.deepEqual(ticks([-2.5, 0, 2.5]), ["−2.5", "0", "2.5"]);
  assert.deepEqual(ticks([3e9, 3.25e9, 3.5e9]).map(plain), ["3.00 G", "3.25 G", "3.50 G"]);
  assert.equal(plain(duration(3_900_000)), "1 h 5 min");
  assert.equal(plain(duration(365.25 * 86400e3)), "1 y");
  assert.deepEqual([2 ** 34 / 1e6, 2 ** 15 / 1e6, 2 ** 44 / 1e6, 1e-6].map(width).map(plain), ["17.2 s", "32.8 µs", "4.89 h", "1 ns"]);
  assert.deepEqual([12.4, 36_149, 1.23456e7].map(about), [12, 36_100, 12_300_000]);
});

test("a time of whole milliseconds that comes as a float just below is that time", () => {
  const at = Date.UTC(2026, 10, 3, 6, 19, 30);
  assert.match(moment(at - 0.0003, 10e3), /:30\.000$/);
  assert.equal(moment(at - 0.0003, 10e3), moment(at, 10e3));
});

test("local times say how far they are from UTC, summer and winter", () => {
  const before = process.env.TZ;
  const said = (name, month) => ((process.env.TZ = name), zone(Date.UTC(2026, month, 3)));
  try {
    assert.deepEqual([said("UTC", 0), said("America/New_York", 0), said("America/New_York", 6), said("Asia/Kolkata", 0)], ["UTC", "UTC−5", "UTC−4", "UTC+5:30"]);
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
});

test("the address says what is shown, and gives the token once", () => {
  const said = address.read("#token=abc&f=host%3A%3Aload%2F1&span=3600000");
  assert.equal(said.token, "abc");
  assert.deepEqual(said.fields, [["host", "load/1"]]);
  const again = address.read(address.write([{ node: "a", field: "b&c" }], new View(5000, 1e12)));
  assert.deepEqual([again.token, again.fields, again.span, again.end], [null, [["a", "b&c"]], 5000, 1e12]);
});

test("a token may be pasted with its address", () => {
  assert.equal(tokenOf(" http://127.0.0.1:8080/#token=x-_1&span=3 "), "x-_1");
  assert.equal(tokenOf(" x-_1 "), "x-_1");
});
