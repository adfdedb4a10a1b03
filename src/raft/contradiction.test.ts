/**
 * A leader's log lacks entries committed at a follower: which of the two finds it, and what each
 * does.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isDoubtful, lacks } from "./contradiction.js";
import { entry, LoneNode } from "./fixtures/lone-node.fixture.js";
import type { LogPoint } from "./types.js";

/** Terms of the entries from index `first` on. */
function logOf(first: number, ...terms: number[]) {
  return {
    lastIndex: () => first + terms.length - 1,
    term: (index: number) => terms[index - first],
  };
}

const point = (index: number, term: number): LogPoint => ({ index, term });

describe("whether a leader's log lacks a committed entry", () => {
  test.each([
    ["it ends before it", logOf(1, 1, 1, 2), point(4, 2), true],
    ["it ends there, same term", logOf(1, 1, 1, 2), point(3, 2), false],
    ["it goes on behind it", logOf(1, 1, 1, 2, 2), point(2, 1), false],
    ["it has another term there", logOf(1, 1, 1, 3, 3), point(3, 2), true],
    ["it has compacted that place", logOf(4, 3, 3), point(3, 2), false],
  ])("%s", (_what, log, committed, expected) => {
    expect(lacks(log, committed)).toBe(expected);
  });

  test("never when one log continues the other's committed part", () => {
    const terms = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 });
    const cut = fc.nat(11);
    fc.assert(
      fc.property(terms, cut, (steps, at) => {
        let term = 1;
        const all = steps.map((step) => (term += step === 3 ? 1 : 0));
        const index = Math.min(at, all.length - 1) + 1;
        expect(lacks(logOf(1, ...all), point(index, all[index - 1] as number))).toBe(false);
      }),
    );
  });

  test("a follower doubts a leader that ends before, or with another term at, what it committed", () => {
    expect(isDoubtful(point(4, 2), point(5, 2))).toBe(true);
    expect(isDoubtful(point(5, 3), point(5, 2))).toBe(true);
    expect(isDoubtful(point(5, 2), point(5, 2))).toBe(false);
    expect(isDoubtful(point(6, 3), point(5, 2))).toBe(false);
  });
});

describe("the leader", () => {
  const elected = (): LoneNode => new LoneNode({ terms: [1, 1] }).elect();
  const answer = { type: "MsgHeartbeatResp", from: 2n } as const;

  test("tells in heartbeats where its log ends, and finds a follower that has committed more", () => {
    const lone = elected();
    lone.takeSent();
    const [heartbeat] = lone.tick(1).takeSent("MsgHeartbeat");
    expect(heartbeat).toMatchObject({ index: 4, logTerm: 2, reject: false });
    lone.receive({ ...answer, index: 9, logTerm: 1 });
    expect(lone.contradictions).toEqual([
      { member: 2n, committed: point(9, 1), leaderEnd: point(4, 2) },
    ]);
    // The leader tells the follower at once, and sends it nothing else.
    expect(lone.takeSent()).toMatchObject([
      { type: "MsgHeartbeat", to: 2n, reject: true, index: 4, commit: 0 },
    ]);
    lone.propose("a");
    expect(lone.takeSent().map(({ to, type }) => [to, type])).toEqual([]);
    const beats = lone.tick(1).takeSent("MsgHeartbeat");
    expect(beats.map(({ to, reject }) => [to, reject])).toEqual([
      [2n, true],
      [3n, false],
    ]);
    // The leader tells it once; otherwise the answers would never end.
    lone.receive({ ...answer, index: 9, logTerm: 1 });
    expect(lone.contradictions).toHaveLength(1);
    expect(lone.takeSent()).toEqual([]);
  });

  test("finds one that committed another entry at an index that it has", () => {
    const lone = elected().receive({ ...answer, index: 3, logTerm: 2 });
    expect(lone.contradictions).toHaveLength(1);
    expect(elected().receive({ ...answer, index: 3, logTerm: 1 }).contradictions).toEqual([]);
  });

  test("counts no acknowledgement of one that has more than it was ever sent", () => {
    for (const logTerm of [0, 1]) {
      const lone = elected().receive({ type: "MsgAppResp", from: 2n, index: 9, logTerm });
      expect(lone.node.committedIndex()).toBe(1);
      expect(lone.status().progress.get(2n)).toMatchObject({ match: 0, isContradicting: true });
      expect(lone.contradictions).toHaveLength(1);
      expect(lone.acknowledge(3n, 4).node.committedIndex()).toBe(4);
    }
  });

  test("counts none that is about a committed entry of another term", () => {
    const lone = elected().receive({ type: "MsgAppResp", from: 2n, index: 4, logTerm: 1 });
    expect(lone.node.committedIndex()).toBe(1);
    expect(lone.contradictions).toHaveLength(1);
  });

  test("has no quarrel with one of a build that does not say what it committed", () => {
    expect(elected().receive(answer).contradictions).toEqual([]);
  });

  test("judges anew in its next term", () => {
    const lone = elected().receive({ ...answer, index: 9, logTerm: 1 });
    lone.receive({ type: "MsgHeartbeat", from: 3n, term: 5 }).elect();
    lone.receive({ ...answer, index: 9, logTerm: 1 });
    expect(lone.contradictions).toHaveLength(2);
  });
});

describe("the follower", () => {
  const hardState = { term: 2, vote: 0n, commit: 5 };
  /** Entries up to 5 are committed. */
  const follower = (): LoneNode =>
    new LoneNode({ terms: [1, 1, 2, 2], hardState, appliedIndex: 5 }).receive({
      ...beat,
      index: 7,
      logTerm: 2,
    });
  const beat = { type: "MsgHeartbeat", from: 2n, term: 2 } as const;

  test("tells what it has committed, and doubts until the leader's log is long enough", () => {
    const lone = follower();
    lone.takeSent();
    expect(lone.node.isDoubtful()).toBe(false);
    lone.receive({ ...beat, index: 4, logTerm: 2 });
    expect(lone.takeSent()).toMatchObject([{ type: "MsgHeartbeatResp", index: 5, logTerm: 2 }]);
    expect(lone.node.isDoubtful()).toBe(true);
    // That was only an old heartbeat, so nothing happened.
    lone.receive({ ...beat, index: 7, logTerm: 2 });
    expect(lone.node.isDoubtful()).toBe(false);
    expect(lone.contradictions).toEqual([]);
  });

  test("doubts after a start until the first heartbeat, if there is a leader", () => {
    const lone = new LoneNode({ terms: [1, 1, 2, 2], hardState, appliedIndex: 5 });
    expect(lone.node.isDoubtful()).toBe(false);
    lone.receive({ type: "MsgApp", from: 2n, term: 2, index: 5, logTerm: 2 });
    expect(lone.node.isDoubtful()).toBe(true);
    expect(lone.receive({ ...beat, index: 5, logTerm: 2 }).node.isDoubtful()).toBe(false);
    expect(new LoneNode().elect().node.isDoubtful()).toBe(false);
  });

  test("doubts a leader that ends too early in its answer to a read", () => {
    const lone = follower().receive({
      ...{ type: "MsgReadIndexResp", from: 2n, context: 1 },
      ...{ index: 4, rejectHint: 4, logTerm: 2 },
    });
    expect(lone.node.isDoubtful()).toBe(true);
  });

  test("does not doubt a leader of a build that does not say where its log ends", () => {
    expect(follower().receive(beat).node.isDoubtful()).toBe(false);
  });

  test("acknowledges, votes for and commits nothing once the leader found it, in later terms too", () => {
    const lone = follower().receive({ ...beat, index: 4, logTerm: 2, reject: true });
    expect(lone.contradictions).toEqual([
      { member: 1n, committed: point(5, 2), leaderEnd: point(4, 2) },
    ]);
    lone.takeSent();
    const append = { type: "MsgApp", from: 2n, index: 5, logTerm: 2, commit: 6 } as const;
    lone.receive({ ...append, entries: [entry(2, 6)] });
    lone.receive({ ...append, index: 3, logTerm: 1 });
    lone.receive({ type: "MsgHeartbeat", from: 3n, term: 3, index: 9, logTerm: 3, commit: 5 });
    expect(lone.takeSent().map(({ type }) => type)).toEqual(["MsgHeartbeatResp"]);
    expect(lone.node.committedIndex()).toBe(5);
    expect(lone.log.lastIndex()).toBe(5);
    lone.receive({ type: "MsgVote", from: 3n, term: 4, index: 20, logTerm: 3 });
    expect(lone.takeSent()).toMatchObject([{ type: "MsgVoteResp", reject: true }]);
    expect(lone.tick(50).status().role).toBe("follower");
    expect(lone.contradictions).toHaveLength(1);
  });

  test("ignores what a leader of an earlier term says", () => {
    const lone = follower().receive({ ...beat, term: 1, index: 2, logTerm: 1, reject: true });
    expect(lone.contradictions).toEqual([]);
    expect(lone.node.isDoubtful()).toBe(false);
  });
});
