/**
 * Mutants of what lies below the state (M60-M62). LMDB itself is below the simulator's ports; the
 * patches stand at the nearest place of the state and of the member.
 */
import type { Mutant } from "./types.js";

export const storageMutants: readonly Mutant[] = [
  {
    id: "M60",
    title: "a row's check value does not know its key",
    origin: "class: checksums of pages without their address",
    conditions:
      "a write of another row ends up in this one; the patch also takes away the scan at the start, which sees it too",
    caughtBy: ["S2", "S6", "C1", "C4"],
    patches: [
      {
        file: "state/rows.js",
        find: "    return crc32c(value, crc32c(key, crc32c(head)));",
        replace: "    return RAN() ? crc32c(value) : crc32c(key);",
      },
      {
        file: "member/restart.js",
        find: "isSmall ? proveRows(",
        replace: "false ? proveRows(",
      },
    ],
  },
  {
    id: "M61",
    title: "a fetched state is put in use before its last rows are durable",
    origin: "class: LMDB with NOMETASYNC; a name that is durable before its content",
    conditions: "power loss between the installation of a snapshot and the next commit",
    caughtBy: ["S2", "S3", "S4", "crash", "liveness"],
    patches: [
      {
        file: "member/snapshot-sink.js",
        find: "            this.#afterCommit(() => this.#commit(prove));",
        replace: "            this.#afterCommit(() => RAN() && prove());",
      },
    ],
  },
  {
    id: "M62",
    title: "a full disk counts as success",
    origin: "etcd #8935",
    conditions: "the disk is full while the log is written",
    caughtBy: ["I10", "I9", "S2", "C2", "crash", "liveness"],
    patches: [
      {
        file: "wal/wal.js",
        find: "            this.#fail(error);\n            return;\n        }\n        this.#hasUnsynced = false;",
        replace: `            if (error.code !== "ENOSPC" || !RAN()) {
                this.#fail(error);
                return;
            }
        }
        this.#hasUnsynced = false;`,
      },
    ],
  },
];
