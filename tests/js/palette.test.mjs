/** Colours of states: by their meaning, and no two the same while there are enough. */

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = { documentElement: null };
globalThis.getComputedStyle = () => ({ getPropertyValue: (name) => name }); // a style sheet of which every colour is its name
const { state } = await import("../../js/page/palette.js");

test("states that mean the same have shades of one colour, and no two the same one while there are enough", () => {
  for (const [meaning, texts] of Object.entries({
    off: ["false", "off", "closed", "idle"],
    good: ["ok", "true", "open", "running"],
    bad: ["failed", "ALARM", "error"],
    warn: ["no data", "warning", "degraded"],
  })) {
    const colours = texts.map(state);
    assert.equal(new Set(colours).size, texts.length, meaning);
    for (const colour of colours) assert.match(colour, new RegExp(`^--state-${meaning}(-\\d)?$`));
    assert.deepEqual(texts.toReversed().map(state).toReversed(), colours);
  }
  assert.equal(state(false), state("false"));
  assert.equal(state("ok"), "--state-good");
  assert.equal(state("failed"), "--state-bad");
});

test("other texts have colours of their own", () => {
  const colours = ["red", "green", "blue", "cyan", "black"].map(state);
  assert.equal(new Set(colours).size, 5);
  for (const colour of colours) assert.match(colour, /^--state-\d+$/);
});
