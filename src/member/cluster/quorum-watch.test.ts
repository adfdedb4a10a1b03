import { expect, test } from "vitest";
import { QuorumWatch } from "./quorum-watch.js";

function setUp() {
  const world = { hasLeader: true };
  const reached = new Set([2n, 3n]);
  const lines: string[] = [];
  const watch = new QuorumWatch({
    log: (level, message, fields) => lines.push(`${level} ${message} ${JSON.stringify(fields)}`),
    selfId: 1n,
    electionMs: 1_000,
    hasLeader: () => world.hasLeader,
    voters: () => [1n, 2n, 3n],
    activeSince: (id) => (reached.has(id) ? 0 : undefined),
  });
  return { world, reached, lines, watch };
}

test("an election is nothing to tell; a missing quorum is, now and then, and its end", () => {
  const { world, reached, lines, watch } = setUp();
  watch.tick(0);
  world.hasLeader = false;
  reached.clear();
  watch.tick(100);
  watch.tick(3_000);
  expect(lines).toEqual([]);
  watch.tick(3_100);
  watch.tick(3_200);
  watch.tick(63_100);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^warn no leader: no quorum of voters is reached/);
  expect(lines[0]).toContain('"voters":3,"voters-reached":1,"voters-not-reached":"2,3"');
  expect(watch.voters()).toEqual({ all: 3, reached: 1 });
  world.hasLeader = true;
  watch.tick(64_000);
  watch.tick(64_100);
  expect(lines).toHaveLength(3);
  expect(lines[2]).toBe('info there is a leader again {"without-leader-for":"63900ms"}');
  expect(watch.losses).toBe(1);
});

test("a leader may be missing although a quorum is reached", () => {
  const { world, reached, lines, watch } = setUp();
  world.hasLeader = false;
  reached.delete(3n);
  watch.tick(0);
  watch.tick(3_000);
  expect(lines[0]).toMatch(/^warn no leader, although a quorum of voters is reached/);
});
