/** What a page asks of a node: once, one question at a time, no more than it can draw. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { View } from "../../js/page/view.js";
import { Laboratory, NOW, PIXELS, settled } from "./laboratory.mjs";

beforeEach(() => mock.timers.enable({ apis: ["Date", "setTimeout"], now: NOW }));
afterEach(() => mock.timers.reset());

const fixed = (span, end = NOW - 1800e3) => new View(span, end);

test("a view of the past is asked for once, a pan for the rest, a way back for nothing", async () => {
  const lab = new Laboratory(1000);
  lab.show(fixed(600e3));
  await lab.rest();
  assert.equal(lab.questions.length, 1);
  assert.deepEqual(lab.drawn(...lab.view.range()), lab.all(...lab.view.range()));
  const first = lab.questions[0];
  lab.show(lab.view.pan(-0.5, NOW));
  await lab.rest();
  assert.equal(lab.questions.length, 2);
  assert.ok(lab.questions[1].to - first.from < 0.01, "only what is left of the first view");
  assert.deepEqual(lab.drawn(...lab.view.range()), lab.all(...lab.view.range()));
  lab.show(lab.view.pan(0.5, NOW));
  await lab.pass(1000);
  assert.equal(lab.questions.length, 2);
});

test("neighbouring zooms share their bins", async () => {
  const lab = new Laboratory(100);
  lab.show(fixed(600e3));
  await lab.rest();
  const { bin } = lab.questions[0];
  lab.show(lab.view.zoom(0.9, 0.5, NOW));
  await lab.rest();
  assert.equal(lab.questions.length, 1);
  lab.show(lab.view.zoom(0.25, 0.5, NOW));
  await lab.rest();
  assert.equal(lab.questions[1].bin, bin / 4);
});

test("one question is in flight, whatever a hand does meanwhile; the latest view is asked for next, the others never", async () => {
  const lab = new Laboratory(1000);
  lab.slow = true;
  lab.show(fixed(600e3));
  await lab.rest();
  for (let i = 0; i < 20; i++) lab.show(lab.view.zoom(0.8, 0.3, NOW));
  await lab.rest();
  assert.equal(lab.questions.length, 1);
  await lab.reply();
  assert.equal(lab.questions.length, 2);
  const [from, to] = lab.view.range();
  assert.ok(lab.questions[1].from <= from && lab.questions[1].to >= to && lab.questions[1].to - lab.questions[1].from < 1.3 * (to - from));
  await lab.reply();
  assert.equal(lab.questions.length, 2);
  assert.equal(lab.most, 1);
});

test("samples that fit the screen come frame by frame, each drawn once, and nothing is polled", async () => {
  const lab = new Laboratory(500);
  let published = lab.count(NOW);
  lab.show(new View(300e3));
  await lab.rest();
  const asked = lab.questions.length;
  await lab.pass(20_000, { each: () => (published = lab.count(Date.now()) > published ? lab.publish(published) : published) });
  assert.equal(lab.questions.length, asked);
  assert.deepEqual(lab.drawn(), lab.all());
  lab.show(lab.view.goLive(100e3));
  await lab.rest();
  assert.equal(lab.questions.length, asked + 1);
  assert.deepEqual(lab.drawn(), lab.all());
  lab.show(lab.view.goLive(200e3));
  await lab.rest();
  assert.deepEqual(lab.drawn(), lab.all());
  assert.equal(lab.most, 1);
});

test("a lost frame is made up for", async () => {
  const lab = new Laboratory(500);
  lab.show(new View(300e3));
  await lab.rest();
  mock.timers.tick(3000);
  lab.publish(lab.count(Date.now()) - 1);
  await lab.rest();
  assert.deepEqual(lab.drawn(), lab.all());
});

test("the value that a view tells is its newest sample, however wide its bins are", async () => {
  const lab = new Laboratory(1);
  const told = () => (lab.drawn(), lab.feed.traces.get("x").reading(lab.view.end ?? Infinity)?.value);
  lab.show(fixed(1500e3, NOW - 600e3));
  await lab.rest();
  assert.equal(told(), lab.count(NOW - 600e3));
  lab.show(lab.view.pan(-0.01, NOW));
  lab.drawn();
  assert.equal(told(), undefined, "the one of before is not that of this view");
  await lab.rest();
  assert.equal(told(), lab.count(NOW - 615e3));
  assert.equal(lab.read, 2);
  lab.show(new View(1500e3));
  await lab.pass(20_000);
  assert.ok(lab.count(Date.now()) - told() < 6000);
  lab.unable = Object.assign(new Error("it is away"), { kind: "no_such_procedure" });
  lab.feed.away = "n is away";
  const last = told();
  await lab.pass(20_000);
  assert.equal(told(), last);
  assert.equal(lab.feed.problem, null);
});

test("more samples than the screen can show are followed in bins, asked from the first that was not closed", async () => {
  const lab = new Laboratory(1);
  lab.show(new View(60e3));
  await lab.pass(2000);
  const asked = lab.questions.length;
  assert.equal(lab.handler ?? null, null, "nothing is subscribed");
  await lab.pass(4000);
  const more = lab.questions.slice(asked);
  assert.ok(more.length >= 10 && more.length <= 16, `${more.length} refreshes in 4 s`);
  for (const { from, bin } of more) assert.ok(Date.now() - from < 4500 && bin === more[0].bin);
  assert.ok(more.every(({ from }, i) => i === 0 || from >= more[i - 1].from));
  const spans = more.slice(1).map(({ from }, i) => from - more[i].from);
  assert.ok(Math.max(...spans) < 500 + more[0].bin);
  const drawn = lab.drawn();
  const [first, last] = [lab.count(Date.now() - 59e3), lab.count(Date.now() - 500)];
  for (let n = first; n < last; n += 500) assert.ok(drawn.some((each) => Math.abs(each - n) <= more[0].bin), `${n} is drawn`);
  assert.ok(drawn.length < 5 * PIXELS);
});

test("a page that nobody looks at asks for nothing", async () => {
  const lab = new Laboratory(1);
  lab.show(new View(60e3));
  await lab.pass(1000);
  const asked = lab.questions.length;
  await lab.pass(5000, { hidden: true });
  assert.ok(lab.questions.length <= asked + 1);
  await lab.pass(1000);
  assert.ok(lab.questions.length > asked + 2);
  assert.equal(lab.most, 1);
});

test("a page that is too slow for the frames takes bins in their place", async () => {
  const lab = new Laboratory(10);
  let published = lab.count(NOW);
  lab.show(new View(2e3));
  await lab.rest();
  assert.ok(lab.handler);
  const each = () => {
    while (lab.handler && published < lab.count(Date.now())) lab.publish(published, ++published);
  };
  await lab.pass(1500, { hidden: true, each });
  assert.equal(lab.handler, null, "it no longer follows frame by frame");
  await lab.pass(1000);
  assert.deepEqual(lab.drawn(undefined, Date.now() - 200), lab.all(undefined, Date.now() - 200));
});

test("a slow node holds nothing up: what is known is drawn, one question waits", async () => {
  const lab = new Laboratory(1);
  lab.show(new View(60e3));
  await lab.pass(500);
  lab.slow = true;
  await lab.pass(5000);
  assert.equal(lab.waiting.length, 1);
  assert.ok(lab.drawn().length > 100);
});

test("what fails is told, drawn is what was known, and it is asked again", async () => {
  const lab = new Laboratory(1000);
  lab.show(fixed(600e3));
  await lab.rest();
  lab.failing = new Error("the disk is gone");
  lab.show(lab.view.pan(-0.5, NOW));
  await lab.rest();
  assert.equal(lab.feed.problem, "the disk is gone");
  assert.ok(lab.drawn(...lab.view.range()).length > 200);
  lab.failing = null;
  await lab.pass(6000);
  assert.equal(lab.feed.problem, null);
  assert.deepEqual(lab.drawn(...lab.view.range()), lab.all(...lab.view.range()));
});

test("a node that publishes nothing is polled at leisure, one that is away no more often", async () => {
  const lab = new Laboratory(1000, { publishes: false });
  lab.show(new View(300e3));
  await lab.pass(21_000);
  assert.ok(lab.questions.length >= 4 && lab.questions.length <= 6, `${lab.questions.length} questions in 21 s`);
  const away = new Laboratory(1);
  away.feed.away = "n is away";
  away.show(new View(60e3));
  await away.pass(21_000);
  assert.ok(away.questions.length <= 6, `${away.questions.length} questions in 21 s`);
});

test("a view that ends a moment ago gets what comes late", async () => {
  const lab = new Laboratory(100);
  lab.show(new View(30e3));
  await lab.rest();
  await lab.pass(1000);
  lab.show(lab.view.pan(-0.005, Date.now()));
  await lab.pass(3000);
  assert.deepEqual(lab.drawn(...lab.view.range()), lab.all(...lab.view.range()));
  const asked = lab.questions.length;
  await lab.pass(10_000);
  assert.equal(lab.questions.length, asked);
});

test("what was stopped asks no more", async () => {
  const lab = new Laboratory(1);
  lab.show(new View(60e3));
  await lab.pass(500);
  lab.feed.stop();
  await settled();
  const asked = lab.questions.length;
  await lab.pass(2000);
  assert.equal(lab.questions.length, asked);
});

test("what is not listed any more is let go and not asked for, until it is listed again", async () => {
  const lab = new Laboratory(500);
  lab.show(new View(300e3));
  await lab.rest();
  const asked = lab.questions.length;
  lab.feed.list(false);
  assert.equal(lab.handler, null);
  assert.deepEqual(lab.drawn(), []);
  assert.equal(lab.feed.tiles.weight, 0);
  lab.show(lab.view.goLive(200e3));
  await lab.pass(20_000);
  assert.equal(lab.questions.length, asked);
  assert.deepEqual(lab.drawn(), []);
  lab.feed.list(true);
  await lab.rest();
  assert.ok(lab.questions.length > asked);
  assert.deepEqual(lab.drawn(), lab.all());
});
