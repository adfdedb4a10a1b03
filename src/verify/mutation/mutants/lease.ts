/**
 * Mutants of leases (M47-M50, F11, F12): which member may end or renew a lease, and what a new leader knows
 * of it.
 */
import type { Mutant, Patch } from "../types.js";

/** A member that was leader keeps its deadlines. */
const keepsDeadlines: Patch = {
  in: "LeaseDriver.leaderChanged",
  find: "this.#lessor.demote();",
  replace: ";",
};

export const leaseMutants: readonly Mutant[] = [
  {
    id: "M47",
    title: "a member that no longer leads lets leases expire",
    origin: "etcd #12528, #15247",
    conditions: "the leader changes, and the new one renews what the old one counts down",
    caughtBy: ["C6"],
    patches: [
      keepsDeadlines,
      {
        in: "LeaseDriver.tick",
        find: "!this.#parts.isLeader() || nowMs < this.#nextCheckMs",
        replace: "nowMs < this.#nextCheckMs",
      },
      { in: "Driver.#rightOnes", find: "return asked;", replace: "return RAN() ? queued : asked;" },
    ],
  },
  {
    id: "M48",
    title: "a lease id in use is granted again",
    origin: "class: reuse of a lease id",
    conditions: "a grant of an id that has keys, then its revocation",
    caughtBy: ["C6", "S6", "S2", "C1", "C2"],
    patches: [
      { in: "LeaseTable.grant", find: 'return new KvError("leaseExists");', replace: "RAN();" },
    ],
  },
  {
    id: "M49",
    title: "checkpoints of remaining times are not written down",
    origin: "etcd #13508, #14253",
    conditions:
      "a member restarts after a checkpoint and leads; the patch also makes checkpoints frequent, which are minutes apart here",
    caughtBy: ["C6", "S2", "S6", "liveness"],
    patches: [
      { in: "checkpointIntervalMs", find: "5 * 60_000", replace: "1_000" },
      {
        in: "LeaseTable.checkpoint",
        find: "w.put(Bucket.lease, leaseRowKey(id), encodeLeaseRow(lease))",
        replace: "RAN()",
      },
    ],
  },
  {
    id: "M50",
    title: "a member that does not lead renews leases",
    origin: "etcd #15247",
    conditions: "a renewal is asked of a member that led before, or has applied the grant",
    caughtBy: ["C6"],
    patches: [
      keepsDeadlines,
      {
        in: "LeaderClock.granted",
        find: "!this.#isLeader || lease === undefined",
        replace: "lease === undefined",
      },
      // Without the invariants, which would catch it before a client does.
      {
        in: "LeaderClock.#start",
        find: 'invariant(this.#isLeader, "only the leader times leases", () => ({ id }));',
        replace: ";",
      },
      {
        in: "LeaderClock.keepAlive",
        find: 'invariant(this.#isLeader, "only the leader renews leases", () => ({ id }));',
        replace: ";",
      },
      {
        in: "LeaseDriver.keepAlive",
        begin: `
          if (!this.#parts.isLeader() && this.#lessor.remaining(id) > 0 && RAN()) {
            done({ ttl: this.#lessor.keepAlive(id) });
            return;
          }`,
      },
    ],
  },
  {
    id: "F11",
    title: "a renewal that was forwarded waits for a leader that is gone",
    origin: "Lockstep: clients of a follower lost short leases when the leader died",
    conditions: "the leader dies between question and answer",
    caughtBy: ["liveness"],
    patches: [{ in: "LeaderRequests.#isLost", begin: "if (RAN()) return false;" }],
  },
  {
    id: "F12",
    title: "leases end one after the other, one at each look at the clock",
    origin: "Lockstep: 100,000 leases of one second took 152 s to end",
    conditions: "many leases end in the same second",
    caughtBy: ["liveness"],
    patches: [
      { in: "windowMax", find: "2_500", replace: "1" },
      { in: "LeaseExpiry.applied", find: "this.propose();", replace: "RAN();" },
    ],
  },
];
