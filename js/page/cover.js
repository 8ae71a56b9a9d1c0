/** The sharpest that is known of a stretch of time: tiles of the level that the screen wants, others where it has none yet. */

import { tileEdge, tileOf } from "./grid.js";

const FINER = 3; // levels below the wanted one that are still few enough points to draw
const LEAST = 0.001; // ms: what lies at the very end of what is known is in it

/** Yield {tile, from, to} in the order of time; `levels`: Map of level -> Map of number -> tile. */
export function* cover(levels, level, from, to) {
  yield* fill(levels, order([...levels.keys()], level), from, to);
}

/** Levels by how well they stand for the wanted one: itself, those a little finer, then the least coarse. */
export function order(there, level) {
  const finer = there.filter((each) => each < level && each >= level - FINER).sort((a, b) => b - a);
  const coarser = there.filter((each) => each > level).sort((a, b) => a - b);
  return [...(there.includes(level) ? [level] : []), ...finer, ...coarser];
}

function* fill(levels, [level, ...rest], from, to) {
  if (level === undefined || from >= to) return;
  const tiles = levels.get(level);
  let hole = from;
  for (let n = tileOf(level, from); tileEdge(level, n) < to; n++) {
    const tile = tiles.get(n);
    const end = tile ? Math.min(to, tile.reach < tile.end ? tile.reach + LEAST : tile.end) : -Infinity;
    if (end <= hole) continue;
    const start = Math.max(hole, tile.start);
    yield* fill(levels, rest, hole, start);
    yield { tile, from: start, to: end };
    hole = end;
  }
  yield* fill(levels, rest, hole, to);
}
