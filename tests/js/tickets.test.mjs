import assert from "node:assert/strict";
import { test } from "node:test";
import { refusal } from "../../js/lib/errors.js";
import { Tickets } from "../../js/lib/tickets.js";

/** What a browser keeps for a tab. */
function storage(kept = {}) {
  return {
    kept,
    getItem: (key) => kept[key] ?? null,
    setItem: (key, value) => (kept[key] = value),
    removeItem: (key) => delete kept[key],
  };
}

test("a one-time token comes first, then the session it gave, also after a reload", () => {
  const kept = storage();
  const tickets = new Tickets("once", kept, "k");
  assert.deepEqual(tickets.next, { authid: "page", ticket: "once" });
  tickets.welcome("page", { session_token: "later" });
  assert.deepEqual(tickets.next, { authid: "page", ticket: "later" });
  assert.deepEqual(new Tickets(null, kept, "k").next, { authid: "page", ticket: "later" });
});

test("a password is never kept, but the session it gave is, with the name", () => {
  const kept = storage();
  const tickets = new Tickets(null, kept, "k");
  assert.equal(tickets.next, null);
  tickets.renew({ name: "ann", password: "three small words" });
  assert.deepEqual(tickets.next, { authid: "ann", ticket: "three small words" });
  assert.deepEqual(kept.kept, {});
  tickets.welcome("ann", { session_token: "later" });
  assert.ok(!JSON.stringify(kept.kept).includes("small words"));
  assert.deepEqual(new Tickets(null, kept, "k").next, { authid: "ann", ticket: "later" });
});

test("what was refused is forgotten, and what is left is tried", () => {
  const kept = storage();
  new Tickets("once", kept, "k").welcome("ann", { session_token: "later" });
  const tickets = new Tickets("spent", kept, "k");
  assert.equal(tickets.refused(), true);
  assert.deepEqual(tickets.next, { authid: "ann", ticket: "later" });
  assert.equal(tickets.refused(), false);
  assert.equal(tickets.next, null);
  assert.deepEqual(kept.kept, {});
});

test("signing out forgets all, and says which session that was", () => {
  const kept = storage();
  const tickets = new Tickets(null, kept, "k");
  tickets.renew({ name: "ann", password: "three small words" });
  tickets.welcome("ann", { session_token: "later" });
  assert.equal(tickets.forget(), "later");
  assert.equal(tickets.next, null);
  assert.deepEqual(kept.kept, {});
  assert.equal(tickets.forget(), null);
});

test("nonsense that was kept, and a browser that keeps nothing, are no session", () => {
  for (const text of ["", "{", "null", "7", '"text"', "[]", '{"authid": 1, "ticket": "x"}', '{"authid": "ann"}']) {
    assert.equal(new Tickets(null, storage({ k: text }), "k").next, null);
  }
  const tickets = new Tickets(null, null, "k");
  tickets.welcome("ann", { session_token: "later" });
  assert.deepEqual(tickets.next, { authid: "ann", ticket: "later" });
  assert.equal(tickets.forget(), "later");
});

test("a spent link and a wrong password are told apart", () => {
  assert.match(refusal({ authid: "page" }), /used before/);
  assert.match(refusal({ authid: "ann" }), /name and password/);
});
