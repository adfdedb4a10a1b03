import { expect, test } from "vitest";
import { type Entry, EntryType, type RaftNode, type Ready } from "../../raft/types.js";
import type { Wal } from "../../wal/wal.js";
import { Driver, type DriverParts } from "./driver.js";
import { Proposals } from "./proposals.js";
import { ReadBarrier } from "./read-barrier.js";

const entry: Entry = { term: 2, index: 5, type: EntryType.normal, data: new Uint8Array(0) };

function ready(part: Partial<Ready>): Ready {
  const nothing = { softState: undefined, append: undefined };
  return { ...nothing, readStates: [], contradictions: [], send: [], apply: [], ...part };
}

/** A driver whose raft hands out `work`. `turn` runs what the driver has scheduled. */
function driver(work: Ready[], parts: Partial<DriverParts> & { readonly isLeader?: boolean }) {
  const due: (() => void)[] = [];
  const seen: string[] = [];
  const proposed: number[] = [];
  const proposals = new Proposals(1);
  let waiting = 0;
  const raft = {
    step: (event: { kind: string; entries?: readonly { data: Uint8Array }[] }) => {
      seen.push(event.kind);
      for (const { data } of event.entries ?? []) proposed.push(data[0] as number);
    },
    takeReady: () => work.shift(),
    isLeader: () => parts.isLeader ?? false,
  } as unknown as RaftNode;
  const made = new Driver(1n, {
    clock: { now: () => 0, defer: (fn: () => void) => due.push(fn) } as never,
    raft,
    log: { append: () => {} } as never,
    wal: { append: () => {}, isIdle: () => true } as unknown as Wal,
    proposals,
    reads: new ReadBarrier(1),
    apply: () => {
      waiting = 1;
    },
    applySome: () => {
      waiting = 0;
      seen.push("apply");
      return { entries: 1, last: 5 };
    },
    isApplying: () => waiting > 0,
    applyPauseMs: 0,
    appliedIndex: () => 4,
    appending: () => {},
    send: () => {},
    canReachLeader: () => true,
    softStateChanged: () => {},
    contradicted: () => {},
    installSnapshot: () => {},
    failed: (error) => seen.push(error.message),
    ...parts,
  });
  const turn = (): void => {
    made.schedule();
    for (const fn of due.splice(0)) fn();
  };
  return { made, seen, proposed, proposals, turn };
}

test("nothing is applied any more when the log fails while it is written", () => {
  const append = {
    ...{ hardState: undefined, entries: [entry], snapshot: undefined },
    ...{ mustSync: true, sendAfter: [] },
  };
  const work = (): Ready[] => [ready({ append, apply: [entry] }), ready({ apply: [entry] })];
  const sound = driver(work(), {});
  sound.turn();
  expect(sound.seen).toEqual(["apply", "applied", "apply", "applied"]);
  const failing = { append: () => broken.made.stop(), isIdle: () => true } as unknown as Wal;
  const broken = driver(work(), { wal: failing });
  broken.turn();
  expect(broken.seen).toEqual([]);
});

test("a leader's decisions come first, only those that are right when they are appended, and only a leader's", () => {
  const ask = (proposals: Proposals): void => {
    proposals.enqueue(EntryType.normal, Uint8Array.of(1));
    proposals.enqueue(EntryType.normal, Uint8Array.of(2), () => true);
    proposals.enqueue(EntryType.normal, Uint8Array.of(3), () => false);
    proposals.enqueue(EntryType.normal, Uint8Array.of(4));
  };
  const leader = driver([], { isLeader: true });
  ask(leader.proposals);
  leader.turn();
  expect(leader.proposed).toEqual([2, 1, 4]);
  const follower = driver([], {});
  ask(follower.proposals);
  follower.turn();
  expect(follower.proposed).toEqual([1, 4]);
});
