/** Configuration changes and read points at a leader. */
import { describe, expect, test } from "vitest";
import { encodeChange } from "./conformance/conf-change-text.fixture.js";
import { bytes, entry, LoneNode, voters } from "./fixtures/lone-node.fixture.js";
import { type ConfChange, EntryType, leaveJoint, type Message } from "./types.js";

function change(
  transition: ConfChange["transition"],
  ...changes: [ConfChange["changes"][number]["type"], number][]
): ConfChange {
  return {
    transition,
    changes: changes.map(([type, id]) => ({ type, id: BigInt(id) })),
    context: bytes(""),
  };
}

function proposeChange(lone: LoneNode, what: ConfChange): void {
  const data = encodeChange(what);
  lone.step({ kind: "proposed", entries: [{ type: EntryType.confChangeV2, data }] });
}

/** Applies what is committed; conf changes take effect as `changes` say, in order. */
function applyAll(lone: LoneNode, ...changes: ConfChange[]): void {
  for (const { type } of lone.applied.splice(0)) {
    if (type !== EntryType.normal) lone.node.applyConfChange(changes.shift());
  }
  lone.step({ kind: "applied", index: lone.node.committedIndex() });
}

function leader(confState = voters(1, 2, 3)): LoneNode {
  const lone = new LoneNode({ confState }).elect().acknowledge(2n, 2);
  lone.appliesByHand = true;
  lone.applied = [];
  lone.takeSent();
  return lone;
}

describe("configuration changes", () => {
  test("one at a time: a second one becomes an empty entry until the first is applied", () => {
    const lone = leader();
    const add = change("auto", ["addVoter", 4]);
    proposeChange(lone, add);
    proposeChange(lone, change("auto", ["remove", 3]));
    expect(lone.log.entries(3, 5, 999)?.map(({ type, data }) => [type, data.length > 0])).toEqual([
      [EntryType.confChangeV2, true],
      [EntryType.normal, false],
    ]);
    lone.acknowledge(2n, 4);
    applyAll(lone, add);
    expect(lone.status().confState.voters).toEqual([1n, 2n, 3n, 4n]);
    proposeChange(lone, change("auto", ["remove", 3]));
    expect(lone.log.entries(5, 6, 999)?.[0]?.type).toBe(EntryType.confChangeV2);
  });

  test("one that is dropped with its proposal is not pending", () => {
    const lone = new LoneNode({ uncommittedBytesMax: 4 })
      .elect()
      .acknowledge(2n, 2)
      .propose("1234");
    const add = change("auto", ["addVoter", 4]);
    expect(() => proposeChange(lone, add)).toThrow("overloaded");
    lone.acknowledge(2n, 3);
    proposeChange(lone, add);
    expect(lone.log.entries(4, 5, 999)?.[0]?.type).toBe(EntryType.confChangeV2);
  });

  test("a new leader waits until its whole log is applied: a change may be in it", () => {
    const lone = new LoneNode({ terms: [1, 1] }).elect();
    proposeChange(lone, change("auto", ["addVoter", 4]));
    expect(lone.log.entries(5, 6, 999)?.[0]?.type).toBe(EntryType.normal);
  });

  test("a joint configuration commits with both majorities, and is left by itself", () => {
    const lone = leader();
    const swap = change("auto", ["addVoter", 4], ["addVoter", 5], ["remove", 2], ["remove", 3]);
    proposeChange(lone, swap);
    lone.acknowledge(2n, 3);
    applyAll(lone, swap);
    expect(lone.status().confState).toEqual({
      voters: [1n, 4n, 5n],
      votersOutgoing: [1n, 2n, 3n],
      learners: [],
      learnersNext: [],
      autoLeave: true,
    });
    expect(lone.log.entries(4, 5, 999)).toEqual([
      { term: 2, index: 4, type: EntryType.confChangeV2, data: bytes("") },
    ]);
    lone.acknowledge(4n, 4).acknowledge(5n, 4);
    expect(lone.node.committedIndex()).toBe(3);
    lone.acknowledge(3n, 4);
    expect(lone.node.committedIndex()).toBe(4);
    applyAll(lone, leaveJoint);
    expect(lone.status().confState).toEqual(voters(1, 4, 5));
  });

  test("one that is to be left on request stays joint, and takes no other change", () => {
    const lone = leader();
    const add = change("jointExplicit", ["addVoter", 4]);
    proposeChange(lone, add);
    lone.acknowledge(2n, 3);
    applyAll(lone, add);
    expect(lone.status()).toMatchObject({ lastIndex: 3, confState: { autoLeave: false } });
    proposeChange(lone, change("auto", ["remove", 4]));
    expect(lone.log.entries(4, 5, 999)?.[0]?.type).toBe(EntryType.normal);
    lone.acknowledge(2n, 4).acknowledge(3n, 4).acknowledge(4n, 4);
    applyAll(lone);
    proposeChange(lone, leaveJoint);
    expect(lone.log.entries(5, 6, 999)?.[0]?.type).toBe(EntryType.confChangeV2);
  });

  test("leaving is refused when the configuration is not joint", () => {
    const lone = leader();
    proposeChange(lone, leaveJoint);
    expect(lone.log.entries(3, 4, 999)).toEqual([entry(2, 3)]);
  });

  test("learners get entries and do not count", () => {
    const lone = leader({ ...voters(1, 2, 3), learners: [4n, 5n] });
    lone.propose("a").acknowledge(4n, 3).acknowledge(5n, 3);
    expect(lone.node.committedIndex()).toBe(2);
    expect(lone.takeSent("MsgApp").map(({ to }) => to)).toContain(4n);
    lone.step({ kind: "transferLeader", to: 4n });
    expect(lone.status().leadTransferee).toBe(0n);
  });

  test("fewer voters may commit what was waiting", () => {
    const lone = leader(voters(1, 2, 3, 4));
    lone.acknowledge(3n, 2);
    const remove = change("auto", ["remove", 4]);
    proposeChange(lone, remove);
    lone.propose("a").acknowledge(2n, 3).acknowledge(3n, 3).acknowledge(2n, 4);
    expect(lone.node.committedIndex()).toBe(3);
    applyAll(lone, remove);
    expect(lone.node.committedIndex()).toBe(4);
  });

  test("a removed leader takes no proposals; with stepDownOnRemoval it follows", () => {
    for (const stepDownOnRemoval of [false, true]) {
      const lone = new LoneNode({ stepDownOnRemoval }).elect().acknowledge(2n, 2);
      lone.node.applyConfChange(change("auto", ["remove", 1]));
      expect(lone.node.isLeader()).toBe(!stepDownOnRemoval);
      expect(() => lone.propose("x")).toThrow(stepDownOnRemoval ? "noLeader" : "removed");
    }
  });

  test("a transfer to a member that is removed is given up", () => {
    const lone = leader().step({ kind: "transferLeader", to: 3n });
    expect(lone.status().leadTransferee).toBe(3n);
    lone.node.applyConfChange(change("auto", ["remove", 3]));
    expect(lone.status().leadTransferee).toBe(0n);
  });

  test("a void change changes nothing; one that cannot be is our own bug", () => {
    const lone = leader();
    expect(lone.node.applyConfChange(undefined)).toEqual(voters(1, 2, 3));
    expect(() => lone.node.applyConfChange(leaveJoint)).toThrow("does not fit");
  });

  test("what a removed member still says is ignored", () => {
    const lone = leader();
    lone.node.applyConfChange(change("auto", ["remove", 3]));
    lone.receive({ type: "MsgAppResp", from: 3n, term: 9, index: 2 });
    expect(lone.status()).toMatchObject({ role: "leader", term: 2 });
  });
});

describe("read points [thesis 6.4]", () => {
  function rounds(messages: readonly Message[]): number[] {
    return [...new Set(messages.map(({ context }) => context))];
  }

  test("a quorum that answers the round of the read confirms it; an older round does not", () => {
    const lone = leader(voters(1, 2, 3, 4, 5)).acknowledge(3n, 2);
    lone.step({ kind: "readIndex", id: 71 });
    const [first] = rounds(lone.takeSent("MsgHeartbeat"));
    lone.step({ kind: "readIndex", id: 72 });
    const [second] = rounds(lone.takeSent("MsgHeartbeat"));
    expect(second).not.toBe(first);
    lone.receive({ type: "MsgHeartbeatResp", from: 2n, context: first as number });
    expect(lone.reads).toEqual([]);
    lone.receive({ type: "MsgHeartbeatResp", from: 3n, context: first as number });
    expect(lone.reads).toEqual([{ id: 71, index: 2 }]);
    lone.receive({ type: "MsgHeartbeatResp", from: 2n, context: second as number });
    lone.receive({ type: "MsgHeartbeatResp", from: 2n, context: second as number });
    expect(lone.reads.length).toBe(1);
    lone.receive({ type: "MsgHeartbeatResp", from: 5n, context: second as number });
    expect(lone.reads.at(-1)).toEqual({ id: 72, index: 2 });
  });

  test("a later round confirms all reads before it, at the index of their arrival", () => {
    const lone = leader();
    lone.step({ kind: "readIndex", id: 1 });
    lone.propose("a").acknowledge(2n, 3);
    lone.step({ kind: "readIndex", id: 2 });
    const context = rounds(lone.takeSent("MsgHeartbeat")).at(-1) as number;
    lone.receive({ type: "MsgHeartbeatResp", from: 2n, context });
    expect(lone.reads).toEqual([
      { id: 1, index: 2 },
      { id: 2, index: 3 },
    ]);
  });

  test("a tick repeats the round, should its messages be lost", () => {
    const lone = leader().step({ kind: "readIndex", id: 1 });
    const first = rounds(lone.takeSent("MsgHeartbeat"));
    expect(rounds(lone.tick(1).takeSent("MsgHeartbeat"))).toEqual(first);
  });

  test("a new leader answers only after the first commit of its term", () => {
    const lone = new LoneNode({ terms: [1], hardState: { term: 1, vote: 0n, commit: 2 } }).elect();
    lone.takeSent();
    lone.step({ kind: "readIndex", id: 5 });
    expect(lone.takeSent("MsgHeartbeat")).toEqual([]);
    lone.acknowledge(2n, 3);
    const [context] = rounds(lone.takeSent("MsgHeartbeat"));
    lone.receive({ type: "MsgHeartbeatResp", from: 2n, context: context as number });
    expect(lone.reads).toEqual([{ id: 5, index: 3 }]);
  });

  test("reads of a term are forgotten with it", () => {
    const lone = leader().step({ kind: "readIndex", id: 5 });
    const [context] = rounds(lone.takeSent("MsgHeartbeat"));
    lone.receive({ type: "MsgHeartbeat", from: 3n, term: 3 });
    lone.elect().acknowledge(2n, 3);
    lone.receive({ type: "MsgHeartbeatResp", from: 2n, context: context as number });
    expect(lone.reads).toEqual([]);
  });

  test("a single voter answers itself at once", () => {
    const lone = new LoneNode({ confState: voters(1) }).step({ kind: "campaign" });
    lone.step({ kind: "readIndex", id: 3 });
    expect(lone.reads).toEqual([{ id: 3, index: 2 }]);
  });

  // The commit index is written without an fsync: after a crash it may be older than an answer that
  // a client already has.
  test("a restarted single voter answers only after the first commit of its term", () => {
    const hardState = { term: 1, vote: 1n, commit: 1 };
    const lone = new LoneNode({ confState: voters(1), terms: [1, 1], hardState });
    lone.isHolding = true;
    lone.step({ kind: "campaign" }).release();
    lone.step({ kind: "readIndex", id: 3 });
    expect(lone.reads).toEqual([]);
    lone.release();
    expect(lone.reads).toEqual([{ id: 3, index: 4 }]);
  });

  test("a follower asks its leader, and without one asks nobody", () => {
    const lone = new LoneNode().step({ kind: "readIndex", id: 8 });
    lone.receive({ type: "MsgHeartbeat", from: 2n });
    lone.takeSent();
    lone.step({ kind: "readIndex", id: 9 });
    expect(lone.takeSent()).toMatchObject([{ type: "MsgReadIndex", to: 2n, from: 1n, context: 9 }]);
    lone.receive({ type: "MsgReadIndexResp", from: 2n, index: 6, context: 9 });
    expect(lone.reads).toEqual([{ id: 9, index: 6 }]);
  });

  test("a leader answers a follower's read to the follower", () => {
    const lone = leader();
    lone.receive({ type: "MsgReadIndex", from: 3n, term: 0, context: 44 });
    const [context] = rounds(lone.takeSent("MsgHeartbeat"));
    lone.receive({ type: "MsgHeartbeatResp", from: 2n, context: context as number });
    const [answer] = lone.takeSent("MsgReadIndexResp");
    expect(answer).toMatchObject({ to: 3n, index: 2, context: 44 });
    expect(lone.reads).toEqual([]);
  });
});
