/**
 * Mutants of replication and commitment (M11, M14, M15, M31, M40, R3): what a leader may count as
 * committed, what a follower may cut or commit, and flow control that must not stop.
 */
import type { Mutant } from "../types.js";

export const replicationMutants: readonly Mutant[] = [
  {
    id: "R3",
    title: "a follower takes a lower commit index from its leader",
    origin: "Raft, figure 2: commitIndex increases monotonically",
    conditions:
      "an append that was sent earlier arrives while what is committed is not yet applied",
    caughtBy: ["I3"],
    patches: [
      {
        in: "RaftLog.commitTo",
        find: `
          if (index <= this.#committed)
            return;`,
        replace: `
          if (index < this.#committed && index >= this.#applying && RAN())
            this.#committed = index;
          if (index <= this.#committed)
            return;`,
      },
    ],
  },
  {
    id: "M11",
    title: "entries of older terms are committed by counting",
    origin: "Raft 5.4.2, figure 8",
    conditions: "several changes of leaders that each replicate a part",
    caughtBy: ["I8", "I7", "I6"],
    patches: [
      {
        in: "advanceCommit",
        find: `
          if (index <= state.log.committed || !state.log.matches(index, state.term))
            return false;`,
        replace: `
          if (index <= state.log.committed)
            return false;
          if (!state.log.matches(index, state.term) && !RAN())
            return false;`,
      },
    ],
  },
  {
    id: "M14",
    title: "an append cuts the log behind it even without a conflict",
    origin: "Raft 5.3; class of CCF's truncation bugs",
    conditions: "an old append comes late, or twice",
    caughtBy: ["I12", "I10", "I9", "I7", "C1", "C2", "crash"],
    patches: [
      {
        in: "RaftLog.appendAfter",
        find: `
          if (same < entries.length)
            this.append(same === 0 ? entries : entries.slice(same));`,
        replace: `
          if (same > 0)
            RAN();
          if (entries.length > 0)
            this.append(entries);`,
      },
    ],
  },
  {
    id: "M15",
    title: "a follower commits past what it was shown to share",
    origin: "Raft 5.3: the smaller of commit and last new index",
    conditions:
      "a follower with a tail of its own is probed by a new leader that has committed more; the patch also takes the entries out of probes, which bring them along here",
    caughtBy: ["I11", "I7", "S1", "I9"],
    patches: [
      {
        in: "answerAppend",
        find: "log.commitTo(Math.min(message.commit, index));",
        replace: `
          const last = log.lastIndex();
          const isPast = message.commit > index && last > index && RAN();
          log.commitTo(Math.min(message.commit, isPast ? last : index));`,
      },
      {
        in: "sendAppend",
        find: 'peer.state === "replicate" && peer.inflights.isFull()',
        replace: 'peer.state === "probe" || peer.inflights.isFull()',
      },
    ],
  },
  {
    id: "M31",
    title: "a heartbeat's commit index is trusted beyond what is shared",
    origin: "class of etcd #8935 and raft #25: a commit index beyond the log",
    conditions:
      "a follower with a tail of its own hears a heartbeat; the patch also takes away the check that leaves it out",
    caughtBy: ["I11", "I7", "S1", "I9"],
    patches: [
      {
        in: "answerHeartbeat",
        find: "message.commit > lastIndex",
        replace: "false",
      },
      {
        in: "sendHeartbeat",
        find: "Math.min(peer.match, state.log.committed)",
        replace: "state.log.committed",
      },
      {
        in: "answerHeartbeat",
        find: "state.log.commitTo(message.commit);",
        replace: `
          RAN();
          state.log.commitTo(Math.min(message.commit, state.log.lastIndex()));`,
      },
    ],
  },
  {
    id: "M40",
    title: "a leader never sends to a follower again whose messages were all lost",
    origin: "etcd #14633",
    conditions: "messages to a follower are lost without notice",
    caughtBy: ["liveness"],
    patches: [{ in: "stepHeartbeatResponse", find: "peer.flowPaused = false", replace: "RAN()" }],
  },
];
