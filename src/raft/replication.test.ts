/** Replication, commitment, flow control, snapshots: the Raft paper's rules and etcd's limits. */
import { describe, expect, test } from "vitest";
import { entry, LoneNode, voters } from "./fixtures/lone-node.fixture.js";
import type { Message } from "./types.js";

function indexes(messages: readonly Message[]): number[][] {
  return messages.map(({ entries }) => entries.map(({ index }) => index));
}

describe("log replication [5.3]", () => {
  test("a leader begins its term with an empty entry and sends it to all", () => {
    const lone = new LoneNode({ terms: [1] }).elect();
    const sent = lone.takeSent("MsgApp");
    expect(sent.map(({ to, index, logTerm }) => [to, index, logTerm])).toEqual([
      [2n, 2, 1],
      [3n, 2, 1],
    ]);
    expect(sent[0]?.entries).toEqual([entry(2, 3)]);
  });

  test("an entry is committed when a majority has it on disk, and applied in order", () => {
    const lone = new LoneNode({ confState: voters(1, 2, 3, 4, 5) }).elect();
    lone.propose("a", "b").acknowledge(2n, 4);
    expect(lone.node.committedIndex()).toBe(1);
    lone.acknowledge(3n, 3);
    expect(lone.node.committedIndex()).toBe(3);
    lone.acknowledge(3n, 4);
    expect(lone.applied).toEqual([entry(2, 2), entry(2, 3, "a"), entry(2, 4, "b")]);
  });

  test("the leader's own disk is one of the majority, not ahead of it", () => {
    const lone = new LoneNode().elect().acknowledge(2n, 2);
    lone.isHolding = true;
    lone.propose("a").acknowledge(2n, 3);
    expect(lone.node.committedIndex()).toBe(2);
    lone.release();
    expect(lone.node.committedIndex()).toBe(3);
  });

  test("entries committed elsewhere are applied only when they are on the own disk", () => {
    const lone = new LoneNode().elect().acknowledge(2n, 2);
    lone.isHolding = true;
    lone.propose("a").acknowledge(2n, 3).acknowledge(3n, 3);
    expect(lone.node.committedIndex()).toBe(3);
    expect(lone.applied.at(-1)?.index).toBe(2);
    lone.release();
    expect(lone.applied.at(-1)?.index).toBe(3);
  });

  test("a leader commits older entries only together with one of its own term [figure 8]", () => {
    const lone = new LoneNode({ terms: [1, 2] }).elect();
    lone.acknowledge(2n, 3);
    expect(lone.node.committedIndex()).toBe(1);
    lone.acknowledge(2n, 4);
    expect(lone.node.committedIndex()).toBe(4);
  });

  test("a follower refuses what does not follow its log, with a hint where it may", () => {
    const lone = new LoneNode({ terms: [1, 1, 4, 4] });
    lone.receive({ type: "MsgApp", from: 2n, term: 7, index: 9, logTerm: 6 });
    lone.receive({ type: "MsgApp", from: 2n, term: 7, index: 5, logTerm: 3 });
    expect(lone.takeSent("MsgAppResp")).toMatchObject([
      { reject: true, index: 9, rejectHint: 5, logTerm: 4 },
      { reject: true, index: 5, rejectHint: 3, logTerm: 1 },
    ]);
  });

  test("a follower replaces what conflicts, and acknowledges when that is durable", () => {
    const lone = new LoneNode({ terms: [1, 2, 2] });
    lone.isHolding = true;
    const entries = [entry(3, 3, "new")];
    lone.receive({ type: "MsgApp", from: 2n, term: 3, index: 2, logTerm: 1, entries });
    expect(lone.log.entries(2, 4, 100)).toEqual([entry(1, 2), entry(3, 3, "new")]);
    expect(lone.status().lastIndex).toBe(3);
    expect(lone.takeSent("MsgAppResp")).toEqual([]);
    lone.release();
    expect(lone.takeSent("MsgAppResp")).toMatchObject([{ index: 3, reject: false }]);
  });

  test("an old message does not cut a tail that it does not conflict with", () => {
    const lone = new LoneNode({ terms: [1, 1, 1] });
    const entries = [entry(1, 2)];
    lone.receive({ type: "MsgApp", from: 2n, index: 1, logTerm: 1, entries });
    expect(lone.status().lastIndex).toBe(4);
    expect(lone.takeSent("MsgAppResp")).toMatchObject([{ index: 2 }]);
  });

  test("a follower commits no further than the entries it verified", () => {
    const lone = new LoneNode({ terms: [1, 1, 1] });
    lone.receive({ type: "MsgApp", from: 2n, index: 2, logTerm: 1, commit: 4 });
    expect(lone.node.committedIndex()).toBe(2);
  });

  test("a heartbeat tells a follower to commit no more than it is known to have", () => {
    const lone = new LoneNode({ terms: [1, 1, 1] }).elect().acknowledge(2n, 5).tick(1);
    const commits = lone.takeSent("MsgHeartbeat").map(({ to, commit }) => [to, commit]);
    expect(commits).toEqual([
      [2n, 5],
      [3n, 0],
    ]);
  });

  test("a leader probes at most once per term to find where the logs agree", () => {
    const lone = new LoneNode({ terms: [3, 3, 3, 5, 5, 5, 5, 5] }).elect();
    lone.takeSent();
    const hint = { reject: true, index: 9, rejectHint: 6, logTerm: 2 } as const;
    lone.receive({ type: "MsgAppResp", from: 2n, ...hint });
    expect(lone.takeSent("MsgApp")).toMatchObject([{ to: 2n, index: 1, logTerm: 1 }]);
  });
});

describe("proposals", () => {
  test("a follower passes them on; without a leader they are dropped, also at a candidate", () => {
    const lone = new LoneNode();
    expect(() => lone.propose("x")).toThrow("noLeader");
    lone.receive({ type: "MsgHeartbeat", from: 2n });
    lone.takeSent();
    lone.propose("x", "y");
    const [sent] = lone.takeSent();
    expect(sent).toMatchObject({ type: "MsgProp", to: 2n, from: 1n, term: 0 });
    expect(sent?.entries.map(({ data }) => new TextDecoder().decode(data))).toEqual(["x", "y"]);
    lone.step({ kind: "campaign" });
    expect(() => lone.propose("x")).toThrow("noLeader");
  });

  test("one that was passed on and cannot be taken is dropped silently", () => {
    const lone = new LoneNode();
    lone.receive({ type: "MsgProp", from: 2n, term: 0, entries: [entry(0, 0, "x")] });
    expect(lone.status().lastIndex).toBe(1);
  });

  test("beyond the limit of uncommitted bytes they are dropped whole, until entries are applied", () => {
    const lone = new LoneNode({ uncommittedBytesMax: 10 }).elect().propose("12345678");
    expect(() => lone.propose("a", "bc")).toThrow("overloaded");
    expect(lone.status().lastIndex).toBe(3);
    lone.propose("");
    expect(lone.status().lastIndex).toBe(4);
    lone.acknowledge(2n, 4).propose("a much longer one is taken when nothing is under way");
    expect(lone.status().lastIndex).toBe(5);
  });
});

describe("flow control", () => {
  test("a probed follower gets one message until it answers", () => {
    const lone = new LoneNode().elect();
    lone.takeSent();
    lone.propose("a").propose("b");
    expect(lone.takeSent("MsgApp")).toEqual([]);
    lone.acknowledge(2n, 2);
    expect(indexes(lone.takeSent("MsgApp").filter(({ to }) => to === 2n))).toEqual([[3, 4]]);
  });

  test("the window of messages fills, an answer opens it, messages are cut by bytes", () => {
    const lone = new LoneNode({ inflightMessagesMax: 2, messageBytesMax: 60 });
    lone.elect().acknowledge(2n, 2);
    lone.takeSent();
    lone.propose("a", "b", "c", "d", "e", "f");
    expect(indexes(lone.takeSent("MsgApp"))).toEqual([[3, 4]]);
    lone.acknowledge(2n, 4);
    const sent = lone.takeSent("MsgApp").filter(({ to }) => to === 2n);
    expect(indexes(sent).flat()).toEqual([5, 6, 7, 8]);
    expect(lone.status().progress.get(2n)).toMatchObject({ state: "replicate", paused: true });
    lone.propose("g");
    expect(lone.takeSent("MsgApp")).toEqual([]);
    // The follower's answer lets one empty message through. The answer to that message shows the
    // loss.
    lone.receive({ type: "MsgHeartbeatResp", from: 2n });
    expect(indexes(lone.takeSent("MsgApp"))).toEqual([[]]);
  });

  test("the window is bounded in bytes as well", () => {
    const lone = new LoneNode({ inflightBytesMax: 10 }).elect().acknowledge(2n, 2);
    lone.takeSent();
    lone.propose("123456789012").propose("x");
    expect(indexes(lone.takeSent("MsgApp").filter(({ to }) => to === 2n))).toEqual([[3]]);
    expect(indexes(lone.acknowledge(2n, 3).takeSent("MsgApp")).flat()).toContain(4);
  });

  test("an unreachable follower is probed again", () => {
    const lone = new LoneNode().elect().acknowledge(2n, 2);
    lone.step({ kind: "unreachable", id: 2n });
    expect(lone.status().progress.get(2n)).toMatchObject({ state: "probe", next: 3 });
  });

  test("entries are applied in pages; the next one comes after the last is applied", () => {
    const lone = new LoneNode({ applyBytesMax: 60 }).elect();
    lone.appliesByHand = true;
    lone.propose("a", "b", "c", "d").acknowledge(2n, 6);
    expect(lone.applied.map(({ index }) => index)).toEqual([2, 3]);
    lone.step({ kind: "applied", index: 3 });
    expect(lone.applied.map(({ index }) => index)).toEqual([2, 3, 4, 5]);
    lone.step({ kind: "applied", index: 5 });
    expect(lone.applied.at(-1)?.index).toBe(6);
  });
});

describe("snapshots [7]", () => {
  const confState = voters(1, 2, 3);

  function compacted(): LoneNode {
    const lone = new LoneNode({ terms: [1, 1, 1] }).elect().acknowledge(2n, 5);
    lone.log.compact(4);
    lone.log.latestSnapshot = () => ({ index: 4, term: 1, confState });
    lone.takeSent();
    return lone;
  }

  test("a follower whose entries are gone gets one, once it shows signs of life", () => {
    const lone = compacted();
    lone.propose("a");
    expect(lone.takeSent("MsgSnap")).toEqual([]);
    const reject = { reject: true, index: 4, rejectHint: 1, logTerm: 1 };
    lone.receive({ type: "MsgAppResp", from: 3n, ...reject });
    expect(lone.takeSent("MsgSnap")).toMatchObject([{ to: 3n, snapshot: { index: 4 } }]);
    expect(lone.status().progress.get(3n)).toMatchObject({ state: "snapshot", paused: true });
    expect(indexes(lone.acknowledge(3n, 4).takeSent("MsgApp"))).toEqual([[5, 6]]);
  });

  test("one that does not know the follower, or none, waits for the next sign of life", () => {
    const lone = compacted();
    const reject = { reject: true, index: 4, rejectHint: 1, logTerm: 1 };
    lone.log.latestSnapshot = () => ({ index: 4, term: 1, confState: voters(1, 2) });
    lone.receive({ type: "MsgAppResp", from: 3n, ...reject });
    lone.log.latestSnapshot = () => undefined;
    lone.receive({ type: "MsgHeartbeatResp", from: 3n });
    expect(lone.takeSent("MsgSnap")).toEqual([]);
    lone.log.latestSnapshot = () => ({ index: 4, term: 1, confState });
    lone.receive({ type: "MsgHeartbeatResp", from: 3n });
    expect(lone.takeSent("MsgSnap").length).toBe(1);
  });

  test.each([
    [true, 5],
    [false, 1],
  ])("its stream ended well: %s; the follower is probed from %i", (ok, next) => {
    const lone = compacted();
    const reject = { reject: true, index: 4, rejectHint: 0, logTerm: 0 };
    lone.receive({ type: "MsgAppResp", from: 3n, ...reject });
    lone.step({ kind: "snapshotReported", id: 3n, ok });
    const progress = lone.status().progress.get(3n);
    expect(progress).toMatchObject({ state: "probe", paused: true, next });
  });

  test("a follower takes it in place of its log and acknowledges when it is installed", () => {
    const lone = new LoneNode({ terms: [1, 1] });
    lone.isHolding = true;
    const snapshot = { index: 9, term: 2, confState: voters(1, 2, 3, 4) };
    lone.receive({ type: "MsgSnap", from: 2n, term: 2, snapshot });
    expect(lone.works.at(-1)).toMatchObject({ snapshot, mustSync: true });
    expect(lone.takeSent("MsgAppResp")).toEqual([]);
    expect(lone.tick(30).status().role).toBe("follower");
    const entries = [entry(2, 10, "x")];
    lone.receive({ type: "MsgApp", from: 2n, term: 2, index: 9, logTerm: 2, entries, commit: 10 });
    expect(lone.applied).toEqual([]);
    while (lone.held.length > 0) lone.release();
    expect(lone.takeSent("MsgAppResp").map(({ index }) => index)).toEqual([9, 10]);
    expect(lone.applied).toEqual(entries);
    expect(lone.status().confState.voters).toEqual([1n, 2n, 3n, 4n]);
  });

  test("one that is older than what is committed, or not for us, changes nothing", () => {
    const lone = new LoneNode({ terms: [1, 1], hardState: { term: 1, vote: 0n, commit: 3 } });
    lone.receive({ type: "MsgSnap", from: 2n, snapshot: { index: 2, term: 1, confState } });
    const strange = { index: 9, term: 1, confState: voters(2, 3) };
    lone.receive({ type: "MsgSnap", from: 2n, snapshot: strange });
    expect(lone.status().lastIndex).toBe(3);
    expect(lone.takeSent("MsgAppResp").map(({ index }) => index)).toEqual([3, 3]);
  });

  test("one of a state that the log already holds only moves the commit index", () => {
    const lone = new LoneNode({ terms: [1, 1, 1] });
    lone.receive({ type: "MsgSnap", from: 2n, snapshot: { index: 3, term: 1, confState } });
    expect(lone.works.some(({ snapshot }) => snapshot !== undefined)).toBe(false);
    expect(lone.status()).toMatchObject({ commit: 3, lastIndex: 4 });
  });
});

describe("restart", () => {
  test("entries up to the applied index are not handed out again", () => {
    const hardState = { term: 1, vote: 0n, commit: 4 };
    const lone = new LoneNode({ terms: [1, 1, 1], hardState, appliedIndex: 3 });
    lone.run();
    expect(lone.applied.map(({ index }) => index)).toEqual([4]);
  });

  test("the stored commit index may lag behind what was applied", () => {
    const hardState = { term: 1, vote: 0n, commit: 1 };
    const lone = new LoneNode({ terms: [1, 1, 1], hardState, appliedIndex: 3 });
    expect(lone.status()).toMatchObject({ commit: 3, applied: 3 });
  });

  test("a log without entries that were committed or applied is refused", () => {
    const hardState = { term: 1, vote: 0n, commit: 9 };
    expect(() => new LoneNode({ terms: [1], hardState })).toThrow("lacks committed entries");
  });
});

test("a Ready is the driver's: later events do not change it", () => {
  const lone = new LoneNode();
  lone.node.step({ kind: "tick" });
  expect(lone.node.takeReady()).toBeUndefined();
  lone.node.step({ kind: "campaign" });
  const ready = lone.node.takeReady();
  const copy = structuredClone(ready);
  lone.elect().propose("x");
  expect(ready).toEqual(copy);
});

describe("a member whose files were replaced by older ones", () => {
  test("takes no commit index beyond its log, and says where its log ends", () => {
    const hardState = { term: 2, vote: 0n, commit: 3 };
    const lone = new LoneNode({ terms: [1, 1, 2], hardState, appliedIndex: 3 });
    const beat = { type: "MsgHeartbeat", from: 2n, term: 2, index: 9, logTerm: 2 } as const;
    lone.receive({ ...beat, commit: 9 });
    expect(lone.node.committedIndex()).toBe(3);
    expect(lone.takeSent()).toMatchObject([
      { type: "MsgHeartbeatResp", to: 2n, index: 3, reject: true, rejectHint: 4 },
    ]);
    lone.receive({ ...beat, commit: 4 });
    expect(lone.node.committedIndex()).toBe(4);
    expect(lone.takeSent()).toMatchObject([{ type: "MsgHeartbeatResp", index: 4, reject: false }]);
  });

  test("gets what it lost from the leader that has its acknowledgement, within one heartbeat", () => {
    const lone = new LoneNode({ terms: [1] }).elect();
    lone.propose("a", "b").acknowledge(2n, 5).acknowledge(3n, 5);
    expect(lone.node.committedIndex()).toBe(5);
    lone.tick(1).takeSent();
    const lost = {
      type: "MsgHeartbeatResp",
      from: 2n,
      index: 2,
      logTerm: 1,
      reject: true,
    } as const;
    lone.receive({ ...lost, rejectHint: 2 });
    expect(lone.status().progress.get(2n)).toMatchObject({ match: 0, next: 3, state: "probe" });
    expect(indexes(lone.takeSent("MsgApp"))).toEqual([[3, 4, 5]]);
    expect(lone.node.committedIndex()).toBe(5);
    // Heartbeats tell it of no commit before the logs agree again.
    expect(
      lone
        .tick(1)
        .takeSent("MsgHeartbeat")
        .find(({ to }) => to === 2n)?.commit,
    ).toBe(0);
    lone.acknowledge(2n, 5);
    expect(lone.status().progress.get(2n)).toMatchObject({ match: 5, state: "replicate" });
    // An answer that names what the leader knows already changes nothing.
    lone.receive({ ...lost, rejectHint: 5 });
    expect(lone.status().progress.get(2n)).toMatchObject({ match: 5, state: "replicate" });
  });
});
