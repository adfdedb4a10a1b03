/**
 * Mutants of the write-ahead log (M21-M31): when an entry counts as durable, how a restart reads
 * the files, and when the member may remove log.
 */
import type { Mutant } from "../types.js";

export const walMutants: readonly Mutant[] = [
  {
    id: "M21",
    title: "a follower acknowledges before its disk has the entries",
    origin: "Raft thesis 3.8; class of etcd #14143",
    conditions: "power is lost at a quorum soon after an acknowledgement",
    caughtBy: ["I10", "I9", "C1", "C2", "I7", "liveness"],
    patches: [
      {
        in: "RaftState.send",
        find: `
          if (promisesDurability(type)) {
            this.messagesAfterAppend.push(message);
            return;
          }`,
        replace: `
          const isEarly = type === "MsgAppResp" && to !== this.id && RAN();
          if (promisesDurability(type) && !isEarly) {
            this.messagesAfterAppend.push(message);
            return;
          }`,
      },
    ],
  },
  {
    id: "M22",
    title: "a leader counts what its own disk does not have",
    origin: "etcd #14370",
    conditions: "an entry is committed by the leader and too few others, then power is lost",
    caughtBy: ["I9", "I10", "C1", "C2", "I7"],
    patches: [
      {
        in: "Driver.#append",
        find: "const isDurable = !work.mustSync && wal.isIdle();",
        replace: `
          const isDurable = !work.mustSync && wal.isIdle();
          for (const message of work.sendAfter) {
            if (message.to === this.#id && message.type === "MsgAppResp" && RAN())
              this.#route(message);
          }`,
      },
    ],
  },
  {
    id: "M23",
    title: "a failed sync counts as done",
    origin: "fsyncgate: failed syncs that were retried or ignored",
    conditions: "a sync fails, then power is lost",
    caughtBy: ["I10", "I9", "C1", "C2", "S3", "crash"],
    patches: [
      {
        in: "SegmentedWal.#flush",
        find: "error === undefined",
        replace: "error === undefined || RAN()",
      },
    ],
  },
  {
    id: "M24",
    title: "the name of a new segment is not made durable",
    origin: "etcd #6368",
    conditions: "a new segment begins, then power is lost",
    caughtBy: ["I10", "I9", "S3", "C1", "C2", "crash", "liveness"],
    patches: [
      { in: "SegmentFactory.create", find: "this.#disk.syncDir(this.#dir)", replace: "RAN()" },
    ],
  },
  {
    id: "M25",
    title: "the log records a snapshot before the state holds it",
    origin: "class: the order of etcd's snapshot record and snapshot file",
    conditions: "log is released while the commit of the state is under way, then a crash",
    caughtBy: ["S3", "I10", "I11", "crash", "liveness"],
    patches: [
      {
        in: "Committer.#commitNow",
        find: "const proof = waiting.length > 0 ? this.#parts.proof() : undefined;",
        replace: `
          const proof = waiting.length > 0 ? this.#parts.proof() : undefined;
          if (meta.index > this.#durable.index && RAN()) {
            this.#durable = meta;
            this.#releaseLog();
          }`,
      },
    ],
  },
  {
    id: "M26",
    title: "segments are removed before the record that allows it is durable",
    origin: "etcd #8935 class; its failpoint raftAfterWALRelease",
    conditions: "log is released, and a crash comes before the next sync",
    caughtBy: ["S3", "I10", "crash", "liveness"],
    patches: [
      {
        in: "Committer.#releaseLog",
        find: `
          wal.saveSnapshot({ index, term, confState: this.#durable.confState }, () => {
            wal.purge(index);
          });`,
        replace: `
          wal.purge(index);
          RAN();
          wal.saveSnapshot({ index, term, confState: this.#durable.confState }, () => {});`,
      },
    ],
  },
  {
    id: "M27",
    title: "a torn tail counts as damage",
    origin: "class: etcd repairs such a tail",
    conditions: "a crash in the middle of a write",
    caughtBy: ["crash", "liveness"],
    patches: [
      {
        in: "readSegment",
        find: `
          if (tornBytes > 0)
            yield* refuseDurable(source, frames, at);`,
        replace: `
          if (tornBytes > 0 && RAN())
            throw damage(path, "a damaged record");`,
      },
    ],
  },
  {
    id: "M28",
    title: "damage counts as a torn tail",
    origin: "protocol-aware recovery: a log that forgets what it promised",
    conditions: "bits rot in the last segment, behind what the backend holds durably",
    caughtBy: ["I10", "I9", "C1", "C2", "S3", "I7"],
    // Damages many disks, because a log seldom holds durably what its backend does not.
    flags: ["--beyond-atlas"],
    patches: [
      {
        in: "readSegment",
        find: `
          if (tornBytes > 0)
            yield* refuseDurable(source, frames, at);`,
        replace: `
          try {
            if (tornBytes > 0)
              yield* refuseDurable(source, frames, at);
          }
          catch {
            RAN();
          }`,
      },
    ],
  },
  {
    id: "M29",
    title: "what a torn write left is not wiped, and comes back to life",
    origin: "class: recycled segments with stale records",
    conditions: "a torn write, a shorter one over it, and another restart",
    caughtBy: ["I10", "I5", "I7", "S3", "crash", "liveness"],
    patches: [
      {
        in: "SegmentedWal.resume",
        find: "file.write(this.#offset, new Uint8Array(tail.tornBytes))",
        replace: "RAN()",
      },
      { in: "readSegment", find: "next !== frame.chain", replace: "false" },
    ],
  },
  {
    id: "M30",
    title: "a replay of the log keeps entries that later ones replaced",
    origin: "class: etcd's replay overwrites",
    conditions: "a tail is replaced by another leader's, then a restart",
    caughtBy: ["I10", "I5", "I7", "I3", "S3", "crash"],
    patches: [
      {
        in: "LogFold.#append",
        find: `
          if (entry.index <= last.index) {
            this.#entries.length = Math.max(0, entry.index - first.index);
          }`,
        replace: `
          if (entry.index <= last.index && entry.index >= first.index && RAN())
            return;
          if (entry.index <= last.index) {
            this.#entries.length = Math.max(0, entry.index - first.index);
          }`,
      },
    ],
  },
];
