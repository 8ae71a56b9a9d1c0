/** Subscriptions are kept over sessions, and one that ends never takes another's with it. */

import assert from "node:assert/strict";
import test from "node:test";
import { Topics } from "../../js/lib/topics.js";

/** A session as a router sees it: one subscription a topic, ended by an UNSUBSCRIBE whoever sent it. Replies take their time. */
class Session {
  constructor() {
    this.there = new Map();
    this.log = [];
  }

  async subscribe(uri, handler) {
    this.log.push(`+${uri}`);
    if (uri === "forbidden") throw new Error("not authorized");
    this.there.set(uri, handler);
    await new Promise(setImmediate);
    return { uri };
  }

  async unsubscribe({ uri }) {
    this.log.push(`-${uri}`);
    this.there.delete(uri);
    await new Promise(setImmediate);
  }
}

const rest = async () => {
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
};

test("whoever comes while another goes hears everything", async () => {
  const topics = new Topics();
  const session = new Session();
  await topics.move(session);
  const heard = [];
  const [first, second] = [() => heard.push("first"), () => heard.push("second")];
  const came = topics.add("t", first);
  const second_came = topics.add("t", second);
  await came;
  topics.remove("t", first);
  await second_came;
  topics.remove("t", second);
  await topics.add("t", second);
  await rest();
  session.there.get("t")([]);
  assert.deepEqual(heard, ["second"]);
});

test("a new session has all subscriptions of before, and only those", async () => {
  const topics = new Topics();
  await topics.move(new Session());
  const gone = () => {};
  await topics.add("kept", () => {});
  await topics.add("gone", gone);
  await topics.move(null);
  topics.remove("gone", gone);
  const session = new Session();
  await topics.move(session);
  assert.deepEqual(session.log, ["+kept"]);
});

test("a topic that is forbidden is told to whoever asked, the others stay", async () => {
  const topics = new Topics();
  const session = new Session();
  await topics.move(session);
  await assert.rejects(topics.add("forbidden", () => {}), /not authorized/);
  await topics.add("t", () => {});
  assert.ok(session.there.has("t"));
});

test("a session that ends before it has replied holds nobody up", async () => {
  const topics = new Topics();
  await topics.move({ subscribe: () => new Promise(() => {}) });
  const waiting = topics.add("t", () => {});
  await topics.move(null);
  await waiting;
  const session = new Session();
  await topics.move(session);
  assert.ok(session.there.has("t"));
});
