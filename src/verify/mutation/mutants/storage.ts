/**
 * Mutants of the layers below the state (M60-M62). LMDB itself is below the simulator's ports; the
 * patches are at the nearest place of the state and of the member.
 */
import type { Mutant } from "../types.js";

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
        in: "checkValue",
        find: "crc32c(value, crc32c(key, headCrc(bucket, key.length)), end)",
        replace: "RAN() ? crc32c(value, 0, end) : crc32c(key)",
      },
      {
        in: "Restart.#openSound",
        find: "isSmall ? yield* proveRows(backend, { machine, sha256 }, work) : undefined",
        replace: "false ? yield* proveRows(backend, { machine, sha256 }, work) : undefined",
      },
    ],
  },
  {
    id: "M61",
    title: "a fetched state is put in use before its last rows are durable",
    origin: "class: LMDB with NOMETASYNC; a name that is durable before its content",
    conditions: "power loss between the installation of a snapshot and the next commit",
    caughtBy: ["S2", "S3", "crash", "liveness"],
    patches: [
      { in: "Transfer.#received", find: "this.#commit(prove)", replace: "RAN() && prove()" },
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
        in: "SegmentedWal.#flush",
        find: "if (this.#offset + length > this.#fileBytes) this.#rotate(length);",
        replace: `
          try {
            if (this.#offset + length > this.#fileBytes) this.#rotate(length);
          } catch (error) {
            if (error.code !== "ENOSPC" || !RAN()) throw error;
            const file = this.#file;
            this.#file = {
              writeAndSync: (at, _bytes, done) => {
                this.#offset = at;
                this.#file = file;
                file.sync(done);
              },
            };
          }`,
      },
    ],
  },
];
