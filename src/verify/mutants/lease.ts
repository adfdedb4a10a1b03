/**
 * Mutants of leases (M47-M50): who may say that one is over or goes on, and what a new leader knows
 * of it.
 */
import type { Mutant } from "./types.js";

/** A member that led keeps its deadlines. */
const keepsDeadlines = {
  file: "member/lease-driver.js",
  find: "            this.#lessor.promote(this.#parts.electionTicks * this.#parts.heartbeatMs);\n        else\n            this.#lessor.demote();",
  replace: "            this.#lessor.promote(this.#parts.electionTicks * this.#parts.heartbeatMs);",
} as const;

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
        file: "member/lease-driver.js",
        find: "        if (!this.#parts.isLeader() || nowMs < this.#nextCheckMs)",
        replace: "        if (nowMs < this.#nextCheckMs)",
      },
      {
        file: "member/driver.js",
        find: "            return asked;",
        replace: "            return RAN() ? queued : asked;",
      },
    ],
  },
  {
    id: "M48",
    title: "a lease id in use is granted again",
    origin: "class: reuse of a lease id",
    conditions: "a grant of an id that has keys, then its revocation",
    caughtBy: ["C6", "S6", "S2", "C1", "C2"],
    patches: [
      {
        file: "state/lease/lease-table.js",
        find: '        if (this.#leases.has(id))\n            return new KvError("leaseExists");',
        replace: "        if (this.#leases.has(id))\n            RAN();",
      },
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
      {
        file: "member/lessor.js",
        find: "const checkpointIntervalMs = 5 * 60_000;",
        replace: "const checkpointIntervalMs = 1_000;",
      },
      {
        file: "state/lease/lease-table.js",
        find: "            lease.remainingTtl = remainingTtl;\n            w.put(Bucket.lease, leaseRowKey(id), encodeLeaseRow(lease));",
        replace: "            lease.remainingTtl = remainingTtl;\n            RAN();",
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
        file: "member/lessor.js",
        find: "        if (!this.#isLeader || lease === undefined)",
        replace: "        if (lease === undefined)",
      },
      {
        file: "member/lease-driver.js",
        find: "    keepAlive(id, done) {",
        replace: `    keepAlive(id, done) {
        if (!this.#parts.isLeader() && this.#lessor.remaining(id) > 0 && RAN()) {
            done({ ttl: this.#lessor.keepAlive(id) });
            return;
        }`,
      },
    ],
  },
];
