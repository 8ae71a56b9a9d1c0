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
  assert.deepEqual(tickets.next, { authid: "page", ticket: "once", session: false });
  tickets.welcome("page", { session_token: "later" });
  assert.deepEqual(tickets.next, { authid: "page", ticket: "later", session: true });
  assert.deepEqual(new Tickets(null, kept, "k").next, { authid: "page", ticket: "later", session: true });
});

test("a password is never kept, but the session it gave is, with the name", () => {
  const kept = storage();
  const tickets = new Tickets(null, kept, "k");
  assert.equal(tickets.next, null);
  tickets.renew({ name: "ann", password: "three small words" });
  assert.deepEqual(tickets.next, { authid: "ann", ticket: "three small words", session: false });
  assert.deepEqual(kept.kept, {});
  tickets.welcome("ann", { session_token: "later" });
  assert.ok(!JSON.stringify(kept.kept).includes("small words"));
  assert.deepEqual(new Tickets(null, kept, "k").next, { authid: "ann", ticket: "later", session: true });
});

test("what was refused is forgotten, and what is left is tried", () => {
  const kept = storage();
  new Tickets("once", kept, "k").welcome("ann", { session_token: "later" });
  const tickets = new Tickets("spent", kept, "k");
  assert.equal(tickets.refused(), true);
  assert.deepEqual(tickets.next, { authid: "ann", ticket: "later", session: true });
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
  assert.deepEqual(tickets.next, { authid: "ann", ticket: "later", session: true });
  assert.equal(tickets.forget(), "later");
});

test("a spent link, a wrong password and a sign-in that has ended are told apart", () => {
  const kept = storage();
  const tickets = new Tickets("once", kept, "k");
  assert.match(refusal(tickets.next), /used before/);
  tickets.welcome("page", { session_token: "later" });
  assert.match(refusal(tickets.next), /^This sign-in has ended: .*`sisock link`/);
  tickets.renew({ name: "ann", password: "three small words" });
  assert.match(refusal(tickets.next), /name and password are not right/);
  tickets.welcome("ann", { session_token: "later" });
  for (const session of [tickets.next, new Tickets(null, kept, "k").next]) {
    assert.match(refusal(session), /^This sign-in has ended: it has run out, or was taken back\. Sign in again/);
  }
});
