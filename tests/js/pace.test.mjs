/** How a live view is followed. */

import assert from "node:assert/strict";
import test from "node:test";
import { Pace } from "../../js/page/pace.js";

const answer = (samples, lasted) => ({ axes: { a: { of: "s", t: [0, lasted / 2, lasted], samples } } });

test("bins are taken above two samples a pixel, and left below one and a half", () => {
  const pace = new Pace({ s: 0.1, slow: null });
  assert.equal(pace.decide(190e3, 1000, 0), false);
  assert.equal(pace.decide(210e3, 1000, 0), true);
  assert.equal(pace.decide(170e3, 1000, 0), true);
  assert.equal(pace.decide(140e3, 1000, 0), false);
});

test("the rate is what comes, whatever the node said of it", () => {
  const pace = new Pace({ s: null });
  assert.equal(pace.decide(60e3, 1000, 0), false);
  pace.answered(answer(10_001, 10e3), 5);
  assert.equal(pace.decide(60e3, 1000, 0), true);
  const live = new Pace({ s: 10 });
  for (let now = 0; now <= 2000; now += 10) {
    live.came("s", 10, now);
    live.drawn();
  }
  assert.equal(live.decide(60e3, 1000, 2000), true);
});

test("a page that was too slow for frames rests from them, longer each time, until somebody looks again", () => {
  const pace = new Pace({});
  const flood = (now) => {
    for (let i = 0; i < 60; i++) pace.came("s", 1, now);
    pace.drawn();
  };
  flood(0);
  assert.ok(pace.decide(1e3, 1000, 9_999));
  assert.ok(!pace.decide(1e3, 1000, 10_000));
  flood(10_001);
  assert.ok(pace.decide(1e3, 1000, 30_000));
  pace.wake();
  assert.ok(!pace.decide(1e3, 1000, 30_000));
});

test("refreshes come as often as the screen shows a difference, the page can draw, and a legend is read", () => {
  const pace = new Pace({});
  assert.equal(pace.pause(300e3, 134), 250);
  assert.equal(pace.pause(4e3, 2), 100);
  assert.equal(pace.pause(50, 0.03), 50);
  assert.equal(pace.pause(86400e3, 68_719), 5000);
  assert.equal(pace.pause(1800e3, 1100), 1100);
  pace.answered(answer(3, 10), 900);
  assert.equal(pace.pause(300e3, 134), 1800);
  pace.wake();
  pace.answered(answer(3, 10), 60e3);
  assert.equal(pace.pause(300e3, 134), 250);
});
