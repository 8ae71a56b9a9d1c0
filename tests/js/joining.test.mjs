/** History and live join exactly once, whatever is lost, doubled or restarted. */

import assert from "node:assert/strict";
import test from "node:test";
import { Joining } from "../../js/lib/joining.js";
import { Live } from "../../js/lib/live.js";

const NS = 1_000_000n;

/** A node that remembers samples 0, 1, 2 … of one field, one a second, under one epoch. */
class Node {
  constructor(epoch = "a") {
    this.epoch = epoch;
    this.n = 0;
  }

  frame(from, to) {
    const t = BigInt64Array.from({ length: to - from }, (_, i) => BigInt((from + i + 1) * 1000) * NS);
    const values = Float64Array.from({ length: to - from }, (_, i) => from + i);
    const axis = { t: { dtype: "<i8", data: new Uint8Array(t.buffer) }, epoch: this.epoch, seq: to };
    return { v: 1, timelines: { s: axis }, data: { x: { dtype: "<f8", data: new Uint8Array(values.buffer), timeline: "s" } } };
  }
}

/** A client whose node answers by hand; `answer()` lets the oldest question be answered. */
function world(decodeAnswer) {
  const node = new Node();
  const questions = [];
  let handler;
  let state = () => {};
  const link = {
    subscribe: async (_, given) => ((handler = given), () => {}),
    onState: (given) => ((state = given), given("connected"), () => {}),
  };
  const client = {
    link,
    uris: { live: (name) => name },
    data: (name, fields, start, end, { since }) => new Promise((resolve, reject) => questions.push({ since: since?.s, resolve, reject })),
  };
  const seen = [];
  const live = new Live(client, "n", ["x"], { last: 1e6 }, (answer, { history }) => {
    if (history) seen.length = 0;
    seen.push(...answer.series("x").values);
  }, () => {});
  return {
    node, questions, seen, live,
    publish: (from, to) => handler(node.frame(from, to)),
    reconnect: () => state("connected"),
    async answer() {
      const { since, resolve } = questions.shift();
      const from = since && since[0] === node.epoch ? since[1] : 0;
      resolve(decodeAnswer(node.frame(from, node.n)));
      await settled();
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const upTo = (n) => Array.from({ length: n }, (_, i) => i);
const { decodeAnswer } = await import("../../js/lib/answer.js");

test("frames that come while the history is asked are neither lost nor doubled", async () => {
  const w = world(decodeAnswer);
  await w.live.start();
  w.publish(0, 3);
  w.publish(3, 5);
  w.node.n = 4;
  await w.answer();
  assert.deepEqual(w.seen, upTo(5));
});

test("a lost frame is asked for by its sequence", async () => {
  const w = world(decodeAnswer);
  await w.live.start();
  w.node.n = 2;
  await w.answer();
  w.node.n = 6;
  w.publish(5, 6);
  assert.deepEqual(w.questions[0].since, ["a", 2]);
  await w.answer();
  assert.deepEqual(w.seen, upTo(6));
});

test("after a reconnect only what was missed is asked for", async () => {
  const w = world(decodeAnswer);
  await w.live.start();
  w.node.n = 3;
  await w.answer();
  w.node.n = 9;
  w.reconnect();
  assert.deepEqual(w.questions[0].since, ["a", 3]);
  await w.answer();
  assert.deepEqual(w.seen, upTo(9));
});

test("a node that was started anew goes on where time does", async () => {
  const w = world(decodeAnswer);
  await w.live.start();
  w.node.n = 3;
  await w.answer();
  w.node.epoch = "b";
  w.node.n = 5;
  w.publish(4, 5);
  await w.answer();
  assert.deepEqual(w.seen, upTo(5));
});

test("a question that fails is asked again at the next frame", async () => {
  const w = world(decodeAnswer);
  await w.live.start();
  w.questions.shift().reject(new Error("away"));
  await settled();
  w.node.n = 2;
  w.publish(1, 2);
  await w.answer();
  assert.deepEqual(w.seen, upTo(2));
});

test("rows known already are told from new ones by sequence, without one by time", () => {
  const join = new Joining();
  join.settle({ t: [1, 2], seq: 10, epoch: "a", samples: 2 });
  assert.equal(join.place({ t: [2, 3], seq: 11, epoch: "a" }), 1);
  assert.equal(join.place({ t: [4], seq: 13, epoch: "a" }), null);
  assert.equal(join.place({ t: [4], seq: 1, epoch: "b" }), null);
  assert.equal(join.place({ t: [1, 2, 3], seq: null, epoch: null }), 2);
});

test("a frame of before a restart that comes late is not taken for news", async () => {
  const w = world(decodeAnswer);
  await w.live.start();
  w.node.n = 2;
  await w.answer();
  w.node.n = 4;
  w.publish(3, 4);
  w.publish(0, 1);
  w.node.epoch = "b";
  await w.answer();
  assert.deepEqual(w.seen, upTo(4));
  w.publish(4, 5);
  assert.equal(w.questions.length, 0);
  assert.deepEqual(w.seen, upTo(5));
});
