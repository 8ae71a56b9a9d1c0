/** Points as they are drawn: breaks where there are gaps; where bins and tiles lie. */

import assert from "node:assert/strict";
import test from "node:test";
import { binOf, edge, levelOf, tileEdge, tileOf, widthOf } from "../../js/page/grid.js";
import { paintLines } from "../../js/page/lines.js";
import { pointsOf } from "../../js/page/points.js";

const series = (t, values, more = {}) => ({
  t: Float64Array.from(t),
  values: values.some((value) => typeof value === "string") ? values : Float64Array.from(values),
  axis: { gaps: [], samples: t.length, finalizedUntil: null, ...more },
});
const drawn = (...given) => [...pointsOf(...given).v];

test("a line breaks before the sample that ends a gap, however its time was rounded", () => {
  for (const end of [10 - 1e-7, 10, 10 + 1e-7]) assert.deepEqual(drawn(series([0, 1, 10, 11], [1, 2, 3, 4], { gaps: [[1, end]] })), [1, 2, NaN, 3, 4]);
});

test("a line breaks at gaps and where many values are missing, not at a single missing one", () => {
  assert.deepEqual(drawn(series([0, 1, 2, 3, 10, 11], [1, NaN, 3, 4, 5, 6], { gaps: [[3, 10]] })), [1, 3, 4, NaN, 5, 6]);
  assert.deepEqual(drawn(series([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, NaN, NaN, NaN, NaN, NaN, 2, 2, 2])), [1, 1, NaN, 2, 2, 2]);
  assert.deepEqual(drawn(series([0, 1, 5], ["a", null, "b"], { gaps: [[1, 5]] })), ["a", null, "b"]);
});

test("a missing text ends the state before it, whatever the step, at its own time and at the very beginning", () => {
  const { t, v } = pointsOf(series([0, 50, 51], [null, "pump on", null], { samples: 100 }));
  assert.deepEqual([[...t], v], [[0, 50, 51], [null, "pump on", null]]);
});

test("a text that does not change is drawn before and after a gap, not in it", () => {
  const { t, v } = pointsOf(series([0, 40], ["on", "off"], { samples: 60, gaps: [[9, 20], [45, 70]] }));
  assert.deepEqual([[...t], v], [[0, 9, 20, 40, 45, 70], ["on", null, "on", "off", null, "off"]]);
});

test("two samples far apart are no line, which an answer of two cannot know", () => {
  assert.deepEqual(drawn(series([0, 9], [1, 2]), 1, 0.5), [1, NaN, 2]);
  assert.deepEqual(drawn(series([0, 9], [1, 2]), 1, 8), [1, 2]);
  assert.deepEqual(drawn(series([0, 9], [1, 2]), null, 0.5), [1, 2]);
});

test("equal times keep all their samples, in order, and are known for records", () => {
  const points = pointsOf(series([5, 5, 5, 6], [1, 9, 2, 3]), 1);
  assert.deepEqual([...points.v], [1, 9, 2, 3]);
  assert.ok(points.records);
});

test("widths are powers of two, at least a bin and at most two a pixel, from 50 ms to 10 years", () => {
  for (let span = 50; span < 3652.5 * 86400e3; span *= 1.37) {
    const bins = span / widthOf(levelOf(span, 1000)) / 1000;
    assert.ok(bins >= 1 && bins < 2, `${span}: ${bins}`);
  }
  assert.ok(widthOf(levelOf(1e20, 1)) * 1e6 <= 2 ** 52);
});

test("every moment lies in its bin and tile, whatever rounding does at their edges", () => {
  for (const level of [10, 15, 28, 44, 52]) {
    for (let n = 0; n < 200; n++) {
      const t = 1.7e12 + n * 7.3 * widthOf(level);
      assert.ok(edge(level, binOf(level, t)) <= t && t < edge(level, binOf(level, t) + 1));
      const begin = tileEdge(level, tileOf(level, t));
      assert.equal(tileOf(level, begin), tileOf(level, t));
      assert.equal(edge(level, binOf(level, begin)), begin);
    }
  }
});

/** What is painted, as text. */
class Paper {
  said = [];
  beginPath() {}
  stroke() {}
  fill() {}
  moveTo(x, y) {
    this.said.push(`M${x} ${y}`);
  }
  lineTo(x, y) {
    this.said.push(`L${x} ${y}`);
  }
  arc(x, y) {
    this.said.push(`o${x} ${y}`);
  }
}

function painted(line, [from, to], scale = 1) {
  const paper = new Paper();
  paintLines(paper, [line], ["red"], [from, to], (t) => (t - from) * scale, (v) => v, 1);
  return paper.said;
}

test("a line goes on to the edges, breaks where it breaks, and lonely samples are dots", () => {
  const line = { t: [0, 1, 2, 3, 4, 5, 6], v: [9, 1, NaN, 2, NaN, 3, 4] };
  assert.deepEqual(painted(line, [0.5, 5.5]), ["M-0.5 9", "L0.5 1", "M2.5 2", "M4.5 3", "L5.5 4", "M4.5 2", "o2.5 2"]);
});

test("of very many samples every column of pixels keeps its least and greatest", () => {
  const t = Float64Array.from({ length: 10_000 }, (_, i) => i / 1000);
  const v = t.map((_, i) => (i === 4321 ? 77 : i === 8765 ? -77 : Math.sin(i)));
  const said = painted({ t, v }, [0, 10]);
  assert.ok(said.length < 100);
  assert.ok(said.includes("L4 77") && said.includes("L9 -77"));
});
