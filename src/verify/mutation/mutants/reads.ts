/**
 * Mutants of reads (M32-M36, R1, R4-R6): which member may say how far a read must see, and when the
 * member answers it.
 */
import type { Mutant } from "../types.js";

export const readMutants: readonly Mutant[] = [
  {
    id: "R4",
    title: "a serializable read is answered from a cache, under the revision of now",
    origin: "class: an answer that is put together from two states",
    conditions: "the same serializable range twice at a member, and a write in between",
    caughtBy: ["C4"],
    patches: [
      {
        in: "KvService.#readNow",
        find: "this.#member.machine.kv.range(request)",
        replace: `
          {
            if (!request.serializable)
              return this.#member.machine.kv.range(request);
            this.kept ??= new Map();
            const place = JSON.stringify(request, (_, v) => typeof v === "bigint" ? String(v) : v);
            if (!this.kept.has(place))
              this.kept.set(place, this.#member.machine.kv.range(request));
            else
              RAN();
            return this.kept.get(place);
          }`,
      },
      {
        in: "KvService.range",
        find: "isQuick(request)",
        replace: "isQuick(request) || request.serializable",
      },
    ],
  },
  {
    id: "R5",
    title: "a sorted read is limited before it is sorted",
    origin: "class: a limit that is pushed below a sort",
    conditions: "a sorted range with a limit, and more keys than that",
    caughtBy: ["C1", "C4"],
    patches: [
      {
        in: "Selection.visit",
        find: "this.#isFull",
        replace: `
          (this.#isFull ||
            (this.#ordered !== undefined && this.#limit > 0 && this.#passed >= this.#limit && RAN()))`,
      },
    ],
  },
  {
    id: "R6",
    title: "old revisions come in ascending order although another was asked for",
    origin: "class: a path of its own for reads of history",
    conditions: "a range of an old revision, in descending order",
    caughtBy: ["C1", "C4"],
    patches: [
      {
        in: "OrderedRows.constructor",
        find: "request.sort_order === Order.DESCEND",
        replace: "request.sort_order === Order.DESCEND && !(request.revision > 0n && RAN())",
      },
    ],
  },
  {
    id: "M32",
    title: "a leader answers reads without asking whether it still leads",
    origin: "etcd #741; Raft 8",
    conditions:
      "a leader is cut off or paused while its successor writes; the patch also lets a leader go on that no quorum hears, as it did in etcd at that time",
    caughtBy: ["C3", "C1"],
    patches: [
      { in: "tickLeader", find: "state.config.checkQuorum", replace: "false" },
      {
        in: "startRead",
        find: "state.variants.leaseReads === true || state.tracker.isSingleVoter()",
        replace: "RAN()",
      },
    ],
  },
  {
    id: "M33",
    title: "a new leader answers reads before it knows what is committed",
    origin: "etcd #7331, tikv #9239",
    conditions:
      "a read right after an election, and the leader's commit index lags; the patch also tells commits by heartbeats alone, so that it lags more",
    caughtBy: ["C3", "C1"],
    patches: [
      { in: "sendAppend", find: "log.committed", replace: "0" },
      {
        in: "stepReadIndex",
        find: "hasCommittedInTerm(state)",
        replace: "hasCommittedInTerm(state) && !RAN()",
      },
    ],
  },
  {
    id: "M34",
    title: "a round of reads takes the answer to an earlier one",
    origin: "etcd #20418, etcd raft #397: ids of rounds that are used again",
    conditions:
      "an answer comes late or twice, and a write ends in between; the patch also repeats its question at once, not after half a second",
    caughtBy: ["C3", "C1"],
    patches: [
      { in: "retryMs", file: "read-barrier.ts", find: "500", replace: "1" },
      {
        in: "ReadBarrier.confirm",
        find: "appliedThen === undefined",
        replace: "(appliedThen === undefined && !RAN())",
      },
    ],
  },
  {
    id: "M35",
    title: "a read is answered before what it must see is applied",
    origin: "Raft thesis 6.4, its last step",
    conditions: "a follower learns of the read point before it learns of the commit",
    caughtBy: ["C3", "C1"],
    patches: [
      {
        in: "ReadBarrier.confirm",
        find: "{ index, readers: round.readers, next: 0 }",
        replace: "{ index: RAN() ? 0 : index, readers: round.readers, next: 0 }",
      },
    ],
  },
  {
    id: "M36",
    title: "a leader answers reads from a lease that is longer than an election",
    origin: "etcd raft: lease-based reads; raft #99",
    conditions:
      "a leader is cut off, and its successor writes before the lease is over; the patch also lets a leader trust its lease when it checks its quorum",
    caughtBy: ["C3", "C1"],
    patches: [
      { in: "tickLeader", find: "state.config.checkQuorum", replace: "false" },
      {
        in: "tickLeader",
        find: "state.heartbeatElapsed++;",
        replace: `
          state.ticks = (state.ticks ?? 0) + 1;
          state.heartbeatElapsed++;`,
      },
      {
        in: "stepHeartbeatResponse",
        find: "peer.flowPaused = false;",
        replace: `
          peer.answeredTick = state.ticks;
          peer.flowPaused = false;`,
      },
      {
        in: "PeerProgress.reset",
        find: "this.next = lastIndex + 1;",
        replace: `
          this.answeredTick = undefined;
          this.next = lastIndex + 1;`,
      },
      {
        in: "startRead",
        find: `
          if (state.variants.leaseReads === true || state.tracker.isSingleVoter()) {
            answer(state, request, committed);
            return;
          }`,
        replace: `
          const now = state.ticks ?? 0;
          const answered = (id) => id === state.id ? now : state.tracker.peer(id)?.answeredTick ?? -1e9;
          const isLeased = state.tracker.quorumOf(answered) > now - 5 * state.config.electionTicks;
          if ((isLeased && RAN()) || state.tracker.isSingleVoter()) {
            answer(state, request, committed);
            return;
          }`,
      },
    ],
  },
  {
    id: "R1",
    title: "a reader joins a round that began before it",
    origin: "etcd #20418: an answer older than the question",
    conditions: "a read comes while a round is on its way, and a write ends in between",
    caughtBy: ["C3", "C1"],
    patches: [
      {
        in: "ReadBarrier.add",
        begin: `
          if (this.#round !== undefined && RAN()) {
            this.#round.readers.push({ sinceMs: nowMs, done });
            return;
          }`,
      },
    ],
  },
];
