/** Mutants of users and rights (A), and of compaction by the cluster itself (K). */
import type { Mutant } from "../types.js";

export const authMutants: readonly Mutant[] = [
  {
    id: "A1",
    title: "a read does not ask for the right of its caller",
    origin: "class: a check that one path lacks",
    conditions: "a user reads keys of others",
    caughtBy: ["A"],
    patches: [
      {
        in: "KvService.#rangeCall",
        find: "rangeRefusal(this.#member.machine.auth, caller, request)",
        replace: "(RAN(), undefined)",
      },
    ],
  },
  {
    id: "A2",
    title: "an entry is applied without a look at the rights of that index",
    origin: "class: time of check, time of use",
    conditions: "a user writes without the right, or loses it while the write is on its way",
    caughtBy: ["A"],
    patches: [
      {
        in: "ReplicatedMachine.#execute",
        find: "putRefusal(this, request, put)",
        replace: "(RAN(), undefined)",
      },
    ],
  },
  {
    id: "A3",
    title: "a watch outlives its right",
    origin: "etcd asks at the creation only",
    conditions: "a right is taken away while its user watches",
    caughtBy: ["A"],
    patches: [
      {
        in: "WatchRights.#holds",
        find: "watcher.stamp === stamp",
        replace: "watcher.stamp === stamp || (watcher.stamp !== -2 && RAN())",
      },
    ],
  },
  {
    id: "A4",
    title: "rights that were computed before stay after another state took the place",
    origin: "etcd #14571",
    conditions: "a member that has answered a user gets a snapshot with other rights",
    caughtBy: ["A", "S6", "S2", "C4"],
    patches: [
      {
        in: "StateStore.replace",
        find: "this.#machine = next.machine;",
        replace: `
          next.machine.auth.keepRights(this.#machine.auth);
          this.#machine = next.machine;`,
      },
      {
        in: "AuthTable",
        begin: `
          keepRights(old) {
            for (const [name, rights] of old.#rights) {
              if (RAN()) this.#rights.set(name, rights);
            }
          }`,
      },
    ],
  },
  {
    id: "A5",
    title: "a watch from a key on is asked for the right to that key only",
    origin: "etcd GHSA-xg4h-6gfc-h4m8",
    conditions: "a user with the right to one key watches from it on",
    caughtBy: ["A"],
    patches: [
      {
        in: "WatchSession.#decide",
        find: "{ username: caller.username, key, range_end: request.range_end }",
        replace: `{
          ...{ username: caller.username, key },
          range_end:
            request.range_end[0] === 0 && RAN() ? request.range_end.subarray(1) : request.range_end,
        }`,
      },
    ],
  },
  {
    id: "A6",
    title: "a token counts after its user was deleted or got another password",
    origin: "class: a credential that nothing ends",
    conditions: "a user is deleted and made again, and an old token comes",
    caughtBy: ["A"],
    patches: [
      {
        in: "SimpleTokens.applied",
        find: `
          for (const token of this.#byUser.get(change.user) ?? [])
            this.#tokens.delete(token);
          this.#byUser.delete(change.user);`,
        replace: "RAN();",
      },
    ],
  },
  {
    id: "K1",
    title: "a follower compacts by its own clock",
    origin: "class: a decision of the leader that others take, too",
    conditions: "automatic compaction is on",
    caughtBy: ["K"],
    patches: [
      {
        in: "AutoCompaction.#look",
        find: "!this.#parts.isLeader()",
        replace: "(!this.#parts.isLeader() && !RAN())",
      },
    ],
  },
  {
    id: "K2",
    title: "automatic compaction takes what the retention keeps",
    origin: "class: the newest note instead of the oldest",
    conditions: "automatic compaction by time, while keys change",
    caughtBy: ["K"],
    patches: [
      {
        in: "AutoCompaction.#target",
        find: "this.#notes[0]",
        replace: "(RAN() ? this.#notes.at(-1) : 0)",
      },
    ],
  },
];
