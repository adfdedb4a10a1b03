/** The rules of elections, in the words of the Raft paper and thesis. Sections in brackets. */
import { describe, expect, test } from "vitest";
import { bytes, LoneNode, voters } from "./fixtures/lone-node.fixture.js";
import { EntryType } from "./types.js";

describe("terms [5.1]", () => {
  test.each(["campaigning", "leading", "following"])(
    "a server %s that sees a larger term becomes a follower of that term",
    (role) => {
      const lone = new LoneNode();
      if (role === "campaigning") lone.step({ kind: "campaign" });
      if (role === "leading") lone.elect();
      lone.receive({ type: "MsgApp", from: 2n, term: 9, index: 1, logTerm: 1 });
      expect(lone.status()).toMatchObject({ role: "follower", term: 9, leader: 2n });
    },
  );

  test("a request with a stale term is ignored", () => {
    const lone = new LoneNode({ hardState: { term: 5, vote: 0n, commit: 1 } });
    lone.receive({ type: "MsgApp", from: 2n, term: 4, index: 1, logTerm: 1 });
    lone.receive({ type: "MsgVote", from: 2n, term: 4, index: 9, logTerm: 4 });
    expect(lone.status()).toMatchObject({ term: 5, leader: 0n, vote: 0n });
    expect(lone.sent).toEqual([]);
  });

  test("a message that only exists inside a node is ignored when it comes from outside", () => {
    const lone = new LoneNode();
    lone.receive({ type: "MsgHup", from: 2n });
    lone.receive({ type: "MsgApp", from: 2n, term: 0, index: 1, logTerm: 1 });
    expect(lone.status()).toMatchObject({ role: "follower", term: 1, leader: 0n });
  });
});

describe("election [5.2]", () => {
  test("a follower that hears nothing for an election timeout stands and asks all voters", () => {
    const lone = new LoneNode({ terms: [1, 1] }).tick(9);
    expect(lone.status().role).toBe("follower");
    lone.tick(1);
    expect(lone.status()).toMatchObject({ role: "candidate", term: 2, vote: 1n });
    const asked = lone.takeSent("MsgVote");
    expect(asked.map(({ to, term, index, logTerm }) => [to, term, index, logTerm])).toEqual([
      [2n, 2, 3, 1],
      [3n, 2, 3, 1],
    ]);
  });

  test("timeouts are spread over [timeout, 2 * timeout - 1]", () => {
    for (const drawn of [0, 4, 9]) {
      const rng = { int: (below: number) => Math.min(drawn, below - 1), fork: () => rng };
      const lone = new LoneNode({ rng }).tick(9 + drawn);
      expect(lone.status().role).toBe("follower");
      expect(lone.tick(1).status().role).toBe("candidate");
    }
  });

  test("a sign of the leader restarts the wait", () => {
    const lone = new LoneNode().tick(9);
    lone.receive({ type: "MsgHeartbeat", from: 2n });
    expect(lone.tick(9).status().role).toBe("follower");
  });

  test.each([
    [3, 1, 0, "leader"],
    [3, 0, 1, "candidate"],
    [3, 0, 2, "follower"],
    [5, 1, 2, "candidate"],
    [5, 2, 1, "leader"],
    [5, 1, 3, "follower"],
  ])("of %i voters, %i more grant and %i refuse: %s", (count, grants, refusals, role) => {
    const ids = Array.from({ length: count }, (_, at) => at + 1);
    const lone = new LoneNode({ confState: voters(...ids) }).step({ kind: "campaign" });
    let next = 2n;
    for (let at = 0; at < grants; at++) lone.receive({ type: "MsgVoteResp", from: next++ });
    for (let at = 0; at < refusals; at++) {
      lone.receive({ type: "MsgVoteResp", from: next++, reject: true });
    }
    expect(lone.status().role).toBe(role);
  });

  test("a repeated answer is one vote", () => {
    const lone = new LoneNode({ confState: voters(1, 2, 3, 4, 5) }).step({ kind: "campaign" });
    for (let at = 0; at < 4; at++) lone.receive({ type: "MsgVoteResp", from: 2n });
    expect(lone.status().role).toBe("candidate");
  });

  test("a server votes for one candidate per term, first come first served, also after a restart", () => {
    const lone = new LoneNode({ hardState: { term: 4, vote: 2n, commit: 1 } });
    lone.receive({ type: "MsgVote", from: 3n, term: 4, index: 9, logTerm: 4 });
    lone.receive({ type: "MsgVote", from: 2n, term: 4, index: 9, logTerm: 4 });
    expect(lone.takeSent().map(({ to, reject }) => [to, reject])).toEqual([
      [3n, true],
      [2n, false],
    ]);
  });

  test("a candidate that hears from a leader of its term follows it and keeps its vote", () => {
    const lone = new LoneNode().step({ kind: "campaign" });
    lone.receive({ type: "MsgHeartbeat", from: 3n });
    expect(lone.status()).toMatchObject({ role: "follower", leader: 3n, vote: 1n, term: 2 });
  });

  test("a vote, also one's own, counts only when it is durable", () => {
    const lone = new LoneNode({ confState: voters(1) });
    lone.isHolding = true;
    lone.step({ kind: "campaign" });
    expect(lone.status().role).toBe("candidate");
    expect(lone.works.at(-1)).toMatchObject({
      mustSync: true,
      hardState: { term: 2, vote: 1n, commit: 1 },
    });
    lone.release();
    expect(lone.status().role).toBe("leader");

    const voter = new LoneNode();
    voter.isHolding = true;
    voter.receive({ type: "MsgVote", from: 2n, term: 2, index: 5, logTerm: 1 });
    expect(voter.sent).toEqual([]);
    voter.release();
    expect(voter.takeSent("MsgVoteResp")).toMatchObject([{ to: 2n, term: 2, reject: false }]);
  });

  test.each([
    [[1, 1], 1, 3, false],
    [[1, 1], 1, 2, true],
    [[1, 1], 2, 2, false],
    [[1, 2], 1, 9, true],
    [[1, 2], 2, 3, false],
  ])("log of terms %j, candidate ends with term %i at %i: refused %s [5.4.1]", (...row) => {
    const [terms, logTerm, index, reject] = row;
    const lone = new LoneNode({ terms });
    lone.receive({ type: "MsgVote", from: 2n, term: 7, index, logTerm });
    expect(lone.takeSent("MsgVoteResp")).toMatchObject([{ reject }]);
  });

  test("a learner does not stand; but it votes when asked", () => {
    const lone = new LoneNode({ confState: { ...voters(2, 3), learners: [1n] } });
    expect(lone.step({ kind: "campaign" }).tick(30).status().role).toBe("follower");
    lone.receive({ type: "MsgVote", from: 2n, term: 2, index: 1, logTerm: 1 });
    expect(lone.takeSent("MsgVoteResp")).toMatchObject([{ reject: false }]);
  });

  test("no one stands with a committed configuration change that is not applied", () => {
    const lone = new LoneNode();
    lone.appliesByHand = true;
    const change = { term: 1, index: 2, type: EntryType.confChange, data: bytes("auto v4") };
    lone.receive({ type: "MsgApp", from: 2n, index: 1, logTerm: 1, entries: [change], commit: 2 });
    lone.step({ kind: "campaign" });
    expect(lone.status()).toMatchObject({ role: "follower", term: 1 });
    lone.step({ kind: "applied", index: 2 });
    expect(lone.step({ kind: "campaign" }).status().role).toBe("candidate");
  });
});

describe("disruption [thesis 4.2.3, 9.6]", () => {
  test("a pre-vote changes neither term nor vote, at both ends", () => {
    const lone = new LoneNode({ preVote: true }).step({ kind: "campaign" });
    expect(lone.status()).toMatchObject({ role: "preCandidate", term: 1, vote: 0n });
    expect(lone.takeSent()).toMatchObject([
      { type: "MsgPreVote", term: 2 },
      { type: "MsgPreVote", term: 2 },
    ]);
    lone.receive({ type: "MsgPreVoteResp", from: 2n, term: 2 });
    expect(lone.status()).toMatchObject({ role: "candidate", term: 2, vote: 1n });

    const other = new LoneNode({ preVote: true });
    other.receive({ type: "MsgPreVote", from: 3n, term: 2, index: 1, logTerm: 1 });
    expect(other.status()).toMatchObject({ role: "follower", term: 1, vote: 0n });
    expect(other.takeSent()).toMatchObject([{ type: "MsgPreVoteResp", term: 2, reject: false }]);
  });

  test("a late answer to a pre-vote is no vote", () => {
    const lone = new LoneNode({ preVote: true, confState: voters(1, 2, 3, 4, 5) });
    lone.step({ kind: "campaign" });
    for (const from of [2n, 3n, 4n]) lone.receive({ type: "MsgPreVoteResp", from, term: 2 });
    expect(lone.status().role).toBe("candidate");
    lone.receive({ type: "MsgPreVoteResp", from: 5n, term: 2 });
    lone.receive({ type: "MsgVoteResp", from: 2n, term: 2 });
    expect(lone.status().role).toBe("candidate");
    expect(lone.receive({ type: "MsgVoteResp", from: 3n }).status().role).toBe("leader");
  });

  test("who heard from a leader within the timeout ignores vote requests, unless told to take over", () => {
    const lone = new LoneNode({ checkQuorum: true });
    lone.receive({ type: "MsgHeartbeat", from: 2n });
    lone.takeSent();
    lone.tick(9).receive({ type: "MsgVote", from: 3n, term: 2, index: 5, logTerm: 1 });
    expect(lone.status().term).toBe(1);
    expect(lone.sent).toEqual([]);
    lone.receive({ type: "MsgVote", from: 3n, term: 2, index: 5, logTerm: 1, context: 1 });
    expect(lone.takeSent("MsgVoteResp")).toMatchObject([{ term: 2, reject: false }]);
  });

  test("a leader that no quorum answers for an election timeout steps down", () => {
    const lone = new LoneNode({ checkQuorum: true }).elect();
    lone.tick(9).receive({ type: "MsgHeartbeatResp", from: 2n });
    expect(lone.tick(1).status().role).toBe("leader");
    expect(lone.tick(10).status()).toMatchObject({ role: "follower", leader: 0n, term: 2 });
  });

  test("a leader of an older term is told of ours", () => {
    const lone = new LoneNode({ preVote: true, hardState: { term: 5, vote: 0n, commit: 1 } });
    lone.receive({ type: "MsgHeartbeat", from: 2n, term: 4 });
    expect(lone.takeSent()).toMatchObject([{ type: "MsgAppResp", to: 2n, term: 5 }]);
  });

  test("a follower that forgets its leader may grant pre-votes again", () => {
    const lone = new LoneNode({ preVote: true, checkQuorum: true });
    lone.receive({ type: "MsgHeartbeat", from: 2n });
    lone.step({ kind: "forgetLeader" });
    expect(lone.status()).toMatchObject({ role: "follower", leader: 0n, term: 1 });
    lone.takeSent();
    lone.receive({ type: "MsgPreVote", from: 3n, term: 2, index: 1, logTerm: 1 });
    expect(lone.takeSent()).toMatchObject([{ type: "MsgPreVoteResp", reject: false }]);
  });
});

describe("leadership transfer [thesis 3.10]", () => {
  test("an up-to-date member is told at once, and no proposals are taken meanwhile", () => {
    const lone = new LoneNode().elect().acknowledge(2n, 2);
    lone.takeSent();
    lone.step({ kind: "transferLeader", to: 2n });
    expect(lone.takeSent("MsgTimeoutNow")).toMatchObject([{ to: 2n }]);
    expect(() => lone.propose("x")).toThrow("transferring");
  });

  test("a member that lags is brought up to date first", () => {
    const lone = new LoneNode().elect().acknowledge(2n, 2).propose("x");
    lone.step({ kind: "transferLeader", to: 2n });
    expect(lone.takeSent("MsgTimeoutNow")).toEqual([]);
    expect(lone.acknowledge(2n, 3).takeSent("MsgTimeoutNow")).toMatchObject([{ to: 2n }]);
  });

  test("a transfer that takes an election timeout is given up", () => {
    const lone = new LoneNode().elect().step({ kind: "transferLeader", to: 2n });
    expect(lone.status().leadTransferee).toBe(2n);
    expect(lone.tick(10).status()).toMatchObject({ role: "leader", leadTransferee: 0n });
    lone.propose("x");
    expect(lone.status().lastIndex).toBe(3);
  });

  test("who is told stands at once, with real votes that ignore leases", () => {
    const lone = new LoneNode({ preVote: true, checkQuorum: true });
    lone.receive({ type: "MsgHeartbeat", from: 2n });
    lone.takeSent();
    lone.receive({ type: "MsgTimeoutNow", from: 2n });
    expect(lone.status()).toMatchObject({ role: "candidate", term: 2 });
    expect(lone.takeSent("MsgVote")).toMatchObject([{ context: 1 }, { context: 1 }]);
  });

  test("a follower passes the request on to its leader", () => {
    const lone = new LoneNode();
    lone.receive({ type: "MsgHeartbeat", from: 2n });
    lone.takeSent();
    lone.step({ kind: "transferLeader", to: 3n });
    expect(lone.takeSent()).toMatchObject([{ type: "MsgTransferLeader", to: 2n, from: 3n }]);
  });
});
