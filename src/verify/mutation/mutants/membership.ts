/**
 * Mutants of configuration changes (M16, M17, M19, R2): one change at a time, counted by voters
 * alone, and known to every candidate. Also of members that come back without their disk (R7, R8).
 * This store's requests enter no joint configuration, so the bug of joint configurations (M18) has
 * no place here.
 */
import type { Mutant } from "../types.js";

export const membershipMutants: readonly Mutant[] = [
  {
    id: "M16",
    title: "a new leader takes a change while an older one may be in its log",
    origin: "the single-server bug: Ongaro on raft-dev, 2015",
    conditions: "a leader loses its place with a change in its log, and its successor gets another",
    caughtBy: ["M3", "M2", "I1", "I7"],
    patches: [{ in: "becomeLeader", find: "state.log", replace: "RAN() ? 0 : state.log" }],
  },
  {
    id: "R2",
    title: "a learner stands for election",
    origin: "class: who has no vote does not lead",
    conditions: "a learner hears from nobody for an election timeout, and the voters answer it",
    caughtBy: ["M4"],
    patches: [{ in: "isPromotable", find: "!own.isLearner", replace: "(!own.isLearner || RAN())" }],
  },
  {
    id: "M17",
    title: "a change is taken while another is pending",
    origin: "class: two pending changes",
    conditions: "two changes are asked for at once",
    caughtBy: ["M3", "M2", "M5", "crash"],
    patches: [
      { in: "isChangeRefused", find: "state.log.applied", replace: "state.log.applied && !RAN()" },
    ],
  },
  {
    id: "M19",
    title: "a learner's disk counts for a commit",
    origin: "class: quorum over all members",
    conditions: "a learner is ahead of the voters",
    caughtBy: ["M4", "I9", "I8", "C1", "C2"],
    patches: [
      {
        in: "ProgressTracker.committed",
        begin: `
          if (this.#peers.length > this.#incoming.length && this.#outgoing.length === 0 && RAN()) {
            const all = this.#peers.map((peer) => peer.match).sort((a, b) => b - a);
            return all[Math.floor(this.#incoming.length / 2)];
          }`,
      },
    ],
  },
  {
    id: "R7",
    title: "a member that lost its disk takes part again under its id",
    origin: "class: a data directory is removed, and the member started as before",
    conditions: "the leader is down, a third member lags, and the one that lost its disk had more",
    caughtBy: ["I1", "I6", "I7", "C1", "C2", "C3", "liveness"],
    patches: [
      {
        in: "Incarnations.greeted",
        find: "first === incarnation",
        replace: "first === incarnation || RAN()",
      },
      {
        in: "Incarnations.admits",
        find: "message.context !== fromNovice",
        replace: "message.context !== fromNovice || RAN()",
      },
      {
        in: "Incarnations.#compare",
        find: "this.#parts.own",
        replace: "this.#parts.own && !RAN()",
      },
      {
        in: "hasTakenPart",
        find: 'self.name !== "" || self.incarnation !== 0n',
        replace: '(self.name !== "" || self.incarnation !== 0n) && !RAN()',
      },
    ],
  },
  {
    id: "R8",
    title: "members accept messages of a founder that lost its disk",
    origin: "class: what a peer said of itself is not kept",
    conditions: "as R7, and nobody answers the member while it starts",
    caughtBy: ["I1", "I6", "I7", "C1", "C2", "C3", "liveness"],
    patches: [
      {
        in: "Incarnations.greeted",
        find: "first === incarnation",
        replace: "first === incarnation || RAN()",
      },
    ],
  },
];
