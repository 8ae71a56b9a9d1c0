/** What a label says: method, samples, bins, where they come from, gaps. */

import assert from "node:assert/strict";
import test from "node:test";
import { describe, explain } from "../../js/page/label.js";

const plain = (text) => text.replaceAll("\u202f", " ");
const RAW = { points: 1234, samples: 1234, exact: true, raw: true, gaps: 0, most: false, bin: null, tier: null, methods: new Set(), sharper: false };
const BINS = { ...RAW, points: 2000, samples: 31_557_600.4, raw: false, bin: 2 ** 34 / 1e6, methods: new Set(["minmax"]) };
const said = (...summaries) => plain(describe(summaries));

test("all samples, or how many lie behind the points, in which bins, from where, with which gaps", () => {
  assert.equal(said(RAW), "raw · all 1 234 samples · no gaps");
  assert.equal(said(BINS), "minmax · 31 557 600 samples in 2 000 points · bins of 17.2 s · from the samples · no gaps longer than 51.5 s");
  assert.equal(said({ ...BINS, tier: 2 ** 31 / 1e6, gaps: 1 }), "minmax · 31 557 600 samples in 2 000 points · bins of 17.2 s · from stored bins of 2.15 s · 1 gap");
});

test("what is not counted exactly is said to be about so much, and what is drawn coarser for now is told", () => {
  assert.equal(said({ ...BINS, exact: false, sharper: true }), "minmax · about 31 600 000 samples in 2 000 points · bins of 17.2 s for now · from the samples · no gaps longer than 51.5 s");
  assert.equal(said({ ...RAW, gaps: 100, most: true }), "raw · all 1 234 samples · at least 100 gaps");
});

test("several lines are summed, the widest bins named", () => {
  assert.equal(said(RAW, BINS), "minmax · 31 558 834 samples in 3 234 points · bins of 17.2 s · from the samples · no gaps longer than 51.5 s");
  assert.equal(said({ ...RAW, points: 0, samples: 0 }), "no samples here");
});

test("texts are drawn by their changes", () => {
  assert.match(describe([BINS], true), /^changes · /);
  const steady = { ...BINS, points: 0, samples: 78.7, exact: false };
  assert.match(plain(describe([steady], true)), /^changes · about 79 samples without a change · /);
  assert.match(plain(describe([{ ...steady, points: 1 }], true)), /about 79 samples in 1 point · /);
  assert.match(explain([BINS]), /least and greatest of each bin/);
  assert.equal(explain([RAW]), "every sample is drawn");
});
