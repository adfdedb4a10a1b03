/**
 * Mutants of elections (M07, M08, M10, M13, M37): which candidate gets a vote, which member
 * remembers it, how a candidate counts votes, and which member may disturb a leader.
 */
import type { Mutant } from "../types.js";

export const electionMutants: readonly Mutant[] = [
  {
    id: "M07",
    title: "a vote is told before it is durable",
    origin: "Raft 5.2; nebula #2405 and #3415",
    conditions: "a crash right after a vote, and another candidate in the same term",
    caughtBy: ["I10", "I2", "I1"],
    patches: [
      {
        in: "ReadySource.#takeAppend",
        find: "hasEntries || hasSnapshot || isVoteNew",
        replace: "hasEntries || hasSnapshot || (isVoteNew && !RAN())",
      },
    ],
  },
  {
    id: "M08",
    title: "stepping down within a term forgets its vote",
    origin: "hazelcast #16643, camunda #5356, CCF #8094",
    conditions: "a candidate or leader steps down, and somebody asks for its vote in the same term",
    caughtBy: ["I2", "I1"],
    patches: [
      {
        in: "becomeFollower",
        begin: `
          const stood = state.role === "candidate" || state.role === "leader";
          if (stood && term === state.term && RAN())
            state.vote = 0n;`,
      },
    ],
  },
  {
    id: "M10",
    title: "a vote that comes twice counts twice",
    origin: "class: answers counted instead of voters",
    conditions: "the network repeats a vote, and the others do not vote for the same",
    caughtBy: ["M6", "I1", "I2", "I6", "I10"],
    patches: [
      {
        in: "ProgressTracker.recordVote",
        find: `
          if (!this.#votes.has(id))
            this.#votes.set(id, granted);`,
        replace: `
          if (!this.#votes.has(id))
            this.#votes.set(id, granted);
          else if (granted && RAN()) {
            const silent = this.voterIds().find((voter) => !this.#votes.has(voter));
            if (silent !== undefined)
              this.#votes.set(silent, true);
          }`,
      },
    ],
  },
  {
    id: "M13",
    title: "half of an even number of voters is a quorum",
    origin: "class: off by one",
    conditions: "two or four voters, and a partition in halves",
    caughtBy: ["M6", "I9", "I1", "I10", "I6", "I7"],
    patches: [
      {
        in: "quorumIndex",
        find: "count - (Math.floor(count / 2) + 1)",
        replace: "count - Math.ceil(count / 2)",
      },
      {
        in: "majorityVote",
        find: "const needed = Math.floor(voters.length / 2) + 1;",
        replace: `
          const needed = Math.ceil(voters.length / 2);
          if (voters.length % 2 === 0)
            RAN();`,
      },
    ],
  },
  {
    id: "M37",
    title: "members stand without asking first, and help to depose a leader that they hear",
    origin: "Raft thesis 4.2.3 and 9.6",
    conditions: "a member comes back that was cut off or removed",
    caughtBy: ["M6", "liveness"],
    patches: [
      {
        in: "tickElection",
        find: 'state.config.preVote ? "preVote" : "vote"',
        replace: 'RAN() && "vote"',
      },
      {
        in: "isHeldByLease",
        find: "state.leader !== 0n && state.electionElapsed < state.config.electionTicks",
        replace: "!RAN()",
      },
    ],
  },
];
