/**
 * Mutants of reads (M32-M36, R1, R4): who may say how far a read must see, and when it is
 * answered.
 */
import type { Mutant } from "./types.js";

export const readMutants: readonly Mutant[] = [
  {
    id: "R4",
    title: "a serializable read is answered from a cache, under the revision of now",
    origin: "class: an answer that is put together from two states",
    conditions: "the same serializable range twice at a member, and a write in between",
    caughtBy: ["C4"],
    patches: [
      {
        file: "api/kv.js",
        find: "        if (isLocal)\n            this.#member.whenSure(answer);",
        replace: `        if (isLocal) {
            this.kept ??= new Map();
            const place = read.toString() + this.asked;
            if (!this.kept.has(place))
                this.kept.set(place, read());
            else
                RAN();
            this.#answerRead(call, () => this.kept.get(place));
        }`,
      },
      {
        file: "api/kv.js",
        find: "this.#read(request.serializable, call, ",
        replace:
          "this.asked = JSON.stringify(request, (_, v) => typeof v === 'bigint' ? String(v) : v), this.#read(request.serializable, call, ",
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
      {
        file: "raft/leader.js",
        find: "        if (state.config.checkQuorum)\n            checkQuorum(state);",
        replace: "        if (false)\n            checkQuorum(state);",
      },
      {
        file: "raft/read-index.js",
        find: "    if (state.variants.leaseReads === true || state.tracker.isSingleVoter()) {",
        replace: "    if (RAN()) {",
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
      {
        file: "raft/replication.js",
        find: "    const commit = log.committed;\n",
        replace: "    const commit = 0;\n",
      },
      {
        file: "raft/read-index.js",
        find: "    if (!hasCommittedInTerm(state))",
        replace: "    if (!hasCommittedInTerm(state) && !RAN())",
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
      {
        file: "member/read-barrier.js",
        find: "const retryMs = 500;",
        replace: "const retryMs = 1;",
      },
      {
        file: "member/read-barrier.js",
        find: "        if (round === undefined || appliedThen === undefined)",
        replace: "        if (round === undefined || (appliedThen === undefined && !RAN()))",
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
        file: "member/read-barrier.js",
        find: "        this.#confirmed.push({ index, readers: round.readers });",
        replace:
          "        this.#confirmed.push({ index: RAN() ? 0 : index, readers: round.readers });",
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
      {
        file: "raft/leader.js",
        find: "        if (state.config.checkQuorum)\n            checkQuorum(state);",
        replace: "        if (false)\n            checkQuorum(state);",
      },
      {
        file: "raft/leader.js",
        find: "    state.heartbeatElapsed++;",
        replace: "    state.ticks = (state.ticks ?? 0) + 1;\n    state.heartbeatElapsed++;",
      },
      {
        file: "raft/acknowledgement.js",
        find: "    peer.recentActive = true;\n    peer.flowPaused = false;",
        replace:
          "    peer.recentActive = true;\n    peer.answeredTick = state.ticks;\n    peer.flowPaused = false;",
      },
      {
        file: "raft/tracker/peer-progress.js",
        find: "        this.match = 0;\n        this.next = lastIndex + 1;",
        replace:
          "        this.match = 0;\n        this.answeredTick = undefined;\n        this.next = lastIndex + 1;",
      },
      {
        file: "raft/read-index.js",
        find: "    if (state.variants.leaseReads === true || state.tracker.isSingleVoter()) {",
        replace: `    const now = state.ticks ?? 0;
    const answered = (id) => id === state.id ? now : state.tracker.peer(id)?.answeredTick ?? -1e9;
    const isLeased = state.tracker.quorumOf(answered) > now - 5 * state.config.electionTicks;
    if ((isLeased && RAN()) || state.tracker.isSingleVoter()) {`,
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
        file: "member/read-barrier.js",
        find: "        this.#arriving.push({ sinceMs: nowMs, done });",
        replace: `        if (this.#round !== undefined && RAN()) {
            this.#round.readers.push({ sinceMs: nowMs, done });
            return;
        }
        this.#arriving.push({ sinceMs: nowMs, done });`,
      },
    ],
  },
];
