/** What is known in tiles: asked once, joined exactly, let go when it is much. */

import assert from "node:assert/strict";
import test from "node:test";
import { cover, order } from "../../js/page/cover.js";
import { tileEdge, tileOf, widthOf } from "../../js/page/grid.js";
import { pointsOf } from "../../js/page/points.js";
import { Tiles } from "../../js/page/tiles.js";
import { Trace } from "../../js/page/trace.js";

const LEVEL = 30; // bins of 1.07 s
const at = (n) => tileEdge(LEVEL, 25_000 + n); // where a tile begins
const T0 = at(0);
const TILE = at(1) - at(0);
const LABEL = { method: "minmax", bin: widthOf(LEVEL), tier: null, notices: [] };

/** Samples every `step` ms in [from, to): their values are their times. */
function samples(from, to, step = 1000, more = {}) {
  const t = Float64Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, i) => from + i * step);
  return pointsOf({ t, values: t.slice(), axis: { gaps: [], samples: t.length, ...more } });
}

function put(tiles, level, from, to, { until = to, asked = 0, ...more } = {}) {
  const points = samples(from, Math.min(to, until + 1e-6), more.step, more);
  tiles.put("k", level, from, to, points, { asked, label: more.label ?? LABEL, until, interval: more.interval ?? 1000 });
}

const never = () => false;
const always = () => true;
const need = (tiles, from, to, now = Infinity, stale = always) => tiles.need("k", LEVEL, from, to, now, stale);

/** What a trace of these tiles draws between two times. */
function drawn(tiles, from, to, trace = new Trace("number", 1000), level = LEVEL) {
  trace.show(tiles, "k", level, from, to);
  return [...trace.t].filter((t) => t >= from && t < to);
}

test("what is closed is never asked again, panning asks for the new tiles only", () => {
  const tiles = new Tiles();
  assert.deepEqual(need(tiles, T0 + 1, at(2)), { from: T0, to: at(2), missing: true });
  put(tiles, LEVEL, T0, at(2));
  assert.equal(need(tiles, T0, at(2)), null);
  assert.deepEqual(need(tiles, at(1), T0 + 2.5 * TILE), { from: at(2), to: at(3), missing: true });
  assert.deepEqual(need(tiles, T0 - 1, at(1)), { from: at(-1), to: T0, missing: true });
});

test("a refresh asks from the first bin that was not closed, and joins exactly", () => {
  const tiles = new Tiles();
  const now = T0 + 0.5 * TILE;
  put(tiles, LEVEL, T0, at(1), { until: now });
  assert.equal(need(tiles, T0, at(1), now, never), null);
  const { from, to, missing } = need(tiles, T0, at(1), now);
  assert.ok(from <= now && now - from < widthOf(LEVEL) && to === at(1) && !missing);
  const before = drawn(tiles, T0, to).filter((t) => t < from);
  tiles.put("k", LEVEL, from, to, samples(before.at(-1) + 1000, to), { asked: 1, label: LABEL, until: to, interval: 1000 });
  assert.deepEqual(drawn(tiles, T0, to), [...samples(T0, to).t]);
  assert.equal(need(tiles, T0, at(1)), null);
});

test("nothing is asked of the future, and the newest tile is not called missing", () => {
  const tiles = new Tiles();
  put(tiles, LEVEL, T0, at(1));
  assert.equal(need(tiles, T0, at(9), at(1)), null);
  assert.deepEqual(need(tiles, T0, at(9), at(1) + 1), { from: at(1), to: at(2), missing: false });
});

test("until sharper bins come, what is known at other widths is drawn in their place", () => {
  const tiles = new Tiles();
  const coarse = tileOf(LEVEL + 4, T0);
  const [from, to] = [tileEdge(LEVEL + 4, coarse), tileEdge(LEVEL + 4, coarse + 1)];
  put(tiles, LEVEL + 4, from, to, { step: 8000 });
  const view = [from + TILE, from + 5 * TILE];
  const trace = new Trace("number", 1000);
  assert.deepEqual(drawn(tiles, ...view, trace), [...samples(from, to, 8000).t].filter((t) => t >= view[0] && t < view[1]));
  assert.ok(trace.summary(...view).sharper);
  put(tiles, LEVEL, from + 2 * TILE, from + 3 * TILE);
  const sharp = drawn(tiles, ...view, trace).filter((t) => t >= from + 2 * TILE && t < from + 3 * TILE);
  assert.equal(sharp.length, Math.ceil(TILE / 1000));
  put(tiles, LEVEL, from + TILE, from + 5 * TILE);
  drawn(tiles, ...view, trace);
  assert.ok(!trace.summary(...view).sharper);
});

test("a little finer stands in before coarser, the least coarse first", () => {
  assert.deepEqual(order([20, 26, 28, 29, 30, 33, 40], 30), [30, 29, 28, 33, 40]);
});

test("tiles and what stands in for them cover a stretch once, in the order of time", () => {
  const tiles = new Tiles();
  put(tiles, LEVEL, T0, at(1));
  put(tiles, LEVEL, at(2), at(3), { until: T0 + 2.5 * TILE });
  put(tiles, LEVEL - 1, at(1), T0 + 2.5 * TILE);
  put(tiles, LEVEL + 2, at(-4), at(4));
  const spans = [...cover(tiles.of("k"), LEVEL, at(-1), T0 + 3.5 * TILE)];
  spans.forEach((span, i) => assert.ok(span.from < span.to && (i === 0 || spans[i - 1].to === span.from)));
  assert.deepEqual([spans[0].from, spans.at(-1).to], [at(-1), T0 + 3.5 * TILE]);
  assert.ok(spans.some(({ tile }) => tile.level === LEVEL - 1) && spans.some(({ tile }) => tile.level === LEVEL + 2));
});

test("what was not looked at for longest goes first, what is on the screen stays", () => {
  const tiles = new Tiles(2000);
  for (let n = 0; n < 60; n++) {
    tiles.moment++;
    put(tiles, LEVEL, at(n), at(n + 1));
    assert.ok(tiles.weight <= 2000 + 100);
  }
  assert.equal(need(tiles, at(59), at(60)), null);
  assert.ok(need(tiles, T0, at(1)));
  const held = [...tiles.of("k").get(LEVEL).values()];
  assert.equal(tiles.weight, held.reduce((n, tile) => n + tile.t.length + 30, 0));
});

test("of a node that came or went all is asked anew, and drawn meanwhile", () => {
  const tiles = new Tiles();
  put(tiles, LEVEL, T0, at(1));
  tiles.doubt("k");
  assert.equal(drawn(tiles, T0, at(1)).length, Math.ceil(TILE / 1000));
  assert.deepEqual(need(tiles, T0, at(1)), { from: T0, to: at(1), missing: false });
});

test("answers that were given apart are one line where samples follow, two where there is a hole", () => {
  const tiles = new Tiles();
  put(tiles, LEVEL, T0, at(1));
  put(tiles, LEVEL, at(1), at(2));
  const trace = new Trace("number", 1000);
  drawn(tiles, T0, at(4), trace);
  assert.ok(!trace.v.includes(NaN));
  tiles.put("k", LEVEL, at(2), at(4), samples(at(3), at(4)), { asked: 0, label: LABEL, until: at(4), interval: 1000 });
  drawn(tiles, T0, at(4), trace);
  assert.equal(trace.v.filter(Number.isNaN).length, 1);
  assert.equal(trace.summary(T0, at(4)).gaps, 1);
});

test("live samples go on where bins end, each once, and break after a silence", () => {
  const tiles = new Tiles();
  const now = T0 + 10_000;
  put(tiles, LEVEL, T0, at(1), { until: now });
  const trace = new Trace("number", 1000);
  trace.tail.append({ t: [now - 1000, now, now + 1000, now + 2000, now + 20_000], values: [1, 2, 3, 4, 5] }, 1000);
  const seen = drawn(tiles, T0 + 8500, at(1), trace).slice(0, 4).map((t) => Math.round(t - now));
  assert.deepEqual(seen, [-1000, 0, 1000, 2000]);
  assert.equal(trace.last().value, 5);
  assert.equal(trace.last(now + 1500).value, 3);
  assert.equal(trace.summary(T0, at(1)).gaps, 1);
});

test("a missing text ends a state that an earlier answer told of, and one that came live", () => {
  const tiles = new Tiles();
  const text = (from, to, t, values, samples) => {
    const points = pointsOf({ t: Float64Array.from(t), values, axis: { gaps: [], samples } });
    tiles.put("k", LEVEL, from, to, points, { asked: 0, label: LABEL, until: to, interval: null });
  };
  text(T0, at(1), [T0 + 1], ["on"], 60);
  text(at(1), at(2), [at(1) + 1, at(1) + 5000], [null, "on"], 60);
  const trace = new Trace("string", 1000);
  trace.tail.append({ t: [at(2) + 1000, at(2) + 2000, at(2) + 3000], values: ["on", null, "off"] }, 1000);
  drawn(tiles, T0, at(3), trace);
  assert.deepEqual(trace.v, ["on", null, "on", "on", null, "off"]);
  assert.deepEqual(trace.reading(Infinity), { t: at(2) + 3000, value: "off" });
  assert.equal(trace.summary(T0, at(3)).gaps, 0);
});

test("a state that began long before the screen is drawn on it, as far back as answers follow one another", () => {
  const tiles = new Tiles();
  const points = pointsOf({ t: Float64Array.of(T0 + 1), values: ["on"], axis: { gaps: [], samples: 40_000 } });
  tiles.put("k", LEVEL, T0, at(20), points, { asked: 0, label: LABEL, until: at(20), interval: null });
  const trace = new Trace("string", 1000);
  drawn(tiles, at(10), at(12), trace);
  assert.deepEqual(trace.v, ["on"]);
  assert.equal(trace.summary(at(10), at(12)).points, 0);
  tiles.of("k").get(LEVEL).delete(tileOf(LEVEL, at(5)));
  tiles.versions.set("k", 7);
  drawn(tiles, at(10), at(12), trace);
  assert.deepEqual(trace.v, []);
});

test("live samples of which bins tell are let go, and bins asked before that are to be asked anew", () => {
  const { tail } = new Trace("number", 1);
  tail.begin(5);
  tail.append({ t: Float64Array.from({ length: 1000 }, (_, i) => i), values: new Float64Array(1000) }, 1);
  tail.trim(900, 77);
  assert.deepEqual([tail.t.length, tail.begun], [100, 77]);
});

test("samples on the screen are counted where all that an answer counted is in sight, else told by points or time", () => {
  const tiles = new Tiles();
  put(tiles, LEVEL, T0, at(4), { samples: 100_000 });
  const trace = new Trace("number", 1000);
  drawn(tiles, at(-1), at(5), trace);
  const { samples: whole, exact } = trace.summary(at(-1), at(5));
  assert.ok(exact && Math.abs(whole - 100_000) < 1e-6);
  const half = trace.summary(at(1), at(3));
  assert.ok(!half.exact && Math.abs(half.samples / 50_000 - 1) < 0.02);
});

test("of a text that seldom changes as many samples are behind a stretch as it is long", () => {
  const tiles = new Tiles();
  const t = Float64Array.of(T0 + 1, T0 + 2);
  const points = pointsOf({ t, values: ["a", "b"], axis: { gaps: [], samples: 40_000 } });
  tiles.put("k", LEVEL, T0, at(4), points, { asked: 0, label: LABEL, until: at(4), interval: null });
  const trace = new Trace("string", 1000);
  drawn(tiles, at(-1), at(5), trace);
  assert.ok(trace.summary(at(-1), at(5)).exact);
  const half = trace.summary(at(1), at(3));
  assert.ok(!half.exact && Math.abs(half.samples / 20_000 - 1) < 0.02);
});
