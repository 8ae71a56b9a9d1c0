/** Who answers for a node that is away, and what is said then. */

import assert from "node:assert/strict";
import test from "node:test";
import { Asking } from "../../js/lib/asking.js";
import { SisockError } from "../../js/lib/errors.js";
import { uris } from "../../js/lib/uris.js";

const NAMES = uris("p");
const ANSWER = { v: 1, timelines: {}, data: {}, label: { method: "raw", bin: null, notices: ["of its own"] } };

/** A router on which these procedures are offered; `asked` has what was called. */
function world(offered) {
  const asked = [];
  const call = async (uri, args, kwargs) => {
    asked.push([uri, args, kwargs]);
    if (!(uri in offered)) throw new SisockError("no_such_procedure", "not connected");
    if (offered[uri] instanceof Error) throw offered[uri];
    return offered[uri];
  };
  return { asked, asking: new Asking({ call }, NAMES) };
}

test("a node that is there is asked, nobody else", async () => {
  const { asked, asking } = world({ "p.consumer.n.get_data": ANSWER, "p.archive.n.get_data": ANSWER });
  const answer = await asking.data("n", [["x"], 1, 2, null], { bin: 8 });
  assert.deepEqual(answer.label.notices, ["of its own"]);
  assert.deepEqual(asked, [["p.consumer.n.get_data", [["x"], 1, 2, null], { bin: 8, columns: "typed" }]]);
});

test("of a node that is away comes what was recorded, with a notice that says so", async () => {
  const { asked, asking } = world({ "p.archive.n.get_data": ANSWER, "p.archive.n.get_fields": [{ x: {} }, {}], "p.archive.n.get_sample": ANSWER });
  asking.know([{ name: "n", state: "away", since: 1769903999000, info: { v: 1 } }]);
  const answer = await asking.data("n", [["x"], 1, 2, null], { bin: 8 });
  assert.deepEqual(answer.label.notices, ["n is away since 2026-01-31 23:59:59 UTC; this is what was recorded", "of its own"]);
  assert.deepEqual(asked[1], ["p.archive.n.get_data", ...asked[0].slice(1)]);
  assert.deepEqual(await asking.fields("n", [1, 0]), [{ x: {} }, {}]);
  assert.match((await asking.sample("n", [["x"], 0, "at"])).label.notices[0], /what was recorded/);
});

test("a node in the old way that is away was recorded in the new way", async () => {
  const { asking } = world({ "p.archive.n.get_data": ANSWER });
  asking.know([{ name: "n", state: "up", info: {} }]);
  assert.equal((await asking.data("n", [["x"], 1, 2, null], {})).label.notices[0], "n is away; this is what was recorded");
});

test("what was imported is not told to be a node that is away", async () => {
  const axis = { of: "t", epoch: null, seq: null, t: { type: "time", data: new BigInt64Array([5n]) } };
  const { asking } = world({ "p.archive.n.get_data": { ...ANSWER, timelines: { t: axis } } });
  asking.know([{ name: "n", state: "away", since: 1769903999000, description: "", info: {} }]);
  assert.equal((await asking.data("n", [["x"], 1, 2, null], {})).label.notices[0], "n is imported");
  asking.know([{ name: "n", state: "away", since: 1769903999000, description: "in the old way", info: {} }]);
  assert.match((await asking.data("n", [["x"], 1, 2, null], {})).label.notices[0], /is away since/);
});

test("where nobody recorded it, what is missed is the node; a recorder that fails says so itself", async () => {
  const { asking } = world({ "p.archive.m.get_data": new SisockError("failed", "the disk is gone") });
  await assert.rejects(asking.data("n", [["x"], 1, 2, null], {}), /not connected/);
  await assert.rejects(asking.data("m", [["x"], 1, 2, null], {}), /the disk is gone/);
});

test("a node that fails is not one that is away", async () => {
  const { asked, asking } = world({ "p.consumer.n.get_data": new SisockError("failed", "a program error"), "p.archive.n.get_data": ANSWER });
  await assert.rejects(asking.data("n", [["x"], 1, 2, null], {}), /a program error/);
  assert.equal(asked.length, 1);
});
