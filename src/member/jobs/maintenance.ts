/**
 * Long or rare reads that an operator asks of one member: hashes and a copy of the state. They run
 * in bounded pieces between turns, over a frozen view or a fixed revision. If the state is replaced
 * meanwhile, the read of the old one goes on to its end. If the state turns out to be wrong, the
 * read ends with an error.
 */
import { crc32c } from "../../base/crc32c.js";
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import { SnapshotFile } from "../../etcd/snapshot-file.js";
import type { BackendReader } from "../../platform/backend.js";
import { bucketNames } from "../../platform/rows.js";
import { type Cursor, firstCursor } from "../../snapshot/row-chunk.js";
import { readSoundChunk } from "../../snapshot/sound-chunk.js";
import type { HashKv, Job, MachineReader } from "../../state/types.js";
import type { Committer } from "../../storage/committer.js";
import type { Jobs } from "../../storage/jobs.js";
import { type ReadErrors, readRefusal, runJob } from "../../storage/read-jobs.js";
import type { StateStore } from "../../storage/state-store.js";
import type { ClientView } from "../../storage/state-views.js";
import type { ReadClient, SnapshotStream } from "../types.js";

export interface MaintenanceParts extends ReadErrors {
  readonly jobs: Pick<Jobs, "start">;
  readonly state: Pick<StateStore, "isClosed" | "isStandIn" | "machine" | "viewForClient">;
  readonly committer: Pick<Committer, "flush">;
}

export class Maintenance {
  readonly #parts: MaintenanceParts;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
  }

  /** `client` absent: the member itself asks. */
  hashKv(
    revision: number,
    done: Done<HashKv & { readonly currentRevision: number }>,
    client?: ReadClient,
  ): void {
    const { jobs, state } = this.#parts;
    let job: Job<HashKv>;
    try {
      job = hashKvOf(state, revision);
    } catch (error) {
      done(readRefusal(error, this.#parts));
      return;
    }
    const handle = runJob(jobs, job, {
      client: clientOf(client),
      done: (result) => {
        const currentRevision = state.machine().kv.revision();
        done(result instanceof KvError ? result : { ...result, currentRevision });
      },
      errors: this.#parts,
    });
    client?.onCancel(() => handle.cancel());
  }

  /** CRC-32C over the name and the rows of every bucket, in order. */
  hash(done: Done<number>, client?: ReadClient): void {
    this.#view(
      () => {},
      (view) => {
        if (view instanceof KvError) {
          done(view);
          return;
        }
        const handle = runJob(this.#parts.jobs, hashAll(view), {
          client: clientOf(client),
          done: (result) => {
            view.close();
            done(result);
          },
          errors: this.#parts,
        });
        client?.onCancel(() => {
          handle.cancel();
          view.close();
        });
      },
    );
  }

  openSnapshot(done: Done<SnapshotStream>, client?: ReadClient): void {
    let ended: (error: KvError) => void = () => {};
    this.#view(
      (error) => ended(error),
      (view) => {
        if (view instanceof KvError) {
          done(view);
          return;
        }
        const version = this.#parts.state.machine().cluster.clusterVersion();
        this.#countFile(view, client, (counted) => {
          if (counted instanceof KvError) {
            view.close();
            done(counted);
            return;
          }
          const onEnd = (fn: (error: KvError) => void): void => {
            ended = fn;
          };
          const { file, totalBytes } = counted;
          const takeTurn = (fn: () => void): void => {
            const once = (): "over" => {
              fn();
              return "over";
            };
            this.#parts.jobs.start({ step: once }, clientOf(client) ?? view);
          };
          const stream = streamFile(file, view, this.#parts);
          done({ ...stream, totalBytes, version, onEnd, takeTurn });
        });
      },
    );
  }

  #countFile(
    view: ClientView,
    client: ReadClient | undefined,
    done: Done<{ readonly file: SnapshotFile; readonly totalBytes: number }>,
  ): void {
    let file: SnapshotFile;
    try {
      file = new SnapshotFile(view);
    } catch (error) {
      done(readRefusal(error, this.#parts));
      return;
    }
    const handle = runJob(
      this.#parts.jobs,
      { step: () => file.count() },
      {
        client: clientOf(client),
        done: (totalBytes) =>
          done(totalBytes instanceof KvError ? totalBytes : { file, totalBytes }),
        errors: this.#parts,
      },
    );
    client?.onCancel(() => {
      handle.cancel();
      view.close();
    });
  }

  /** A view of everything that is applied now. */
  #view(ended: (error: KvError) => void, done: Done<ClientView>): void {
    const { state, committer } = this.#parts;
    committer.flush(() => {
      let view: ClientView | KvError;
      try {
        view = state.viewForClient(ended);
      } catch (error) {
        view = readRefusal(error, this.#parts);
      }
      done(view);
    });
  }
}

function clientOf(client: ReadClient | undefined): object | undefined {
  return client?.connection ?? client;
}

/**
 * Computes HashKV at a revision. The job holds no view: only a compaction changes the rows of a
 * revision, and the machine tells the job of it. If another state replaces this one, the job starts
 * anew on the new state. That is right: a defragmented state has the same rows, and a later state
 * gives the same hash of the revision or has compacted it. @throws KvError
 */
function hashKvOf(state: MaintenanceParts["state"], revision: number): Job<HashKv> {
  let machine: MachineReader = state.machine();
  let job = machine.kv.hashKv(revision);
  return {
    step(rowsMax) {
      if (state.isClosed()) throw new KvError("stopped");
      if (state.machine() !== machine) {
        // The job has read rows of a state that was found wrong.
        if (state.isStandIn()) throw new KvError("corrupt");
        machine = state.machine();
        job = machine.kv.hashKv(revision);
      }
      return job.step(rowsMax);
    },
  };
}

function hashAll(view: BackendReader): Job<number> {
  let hash = 0;
  let bucket = -1;
  let cursor: Cursor = firstCursor;
  return {
    step(rowsMax) {
      const chunk = readSoundChunk(view, cursor, rowsMax * 64);
      for (const row of chunk.rows) {
        for (; bucket < row.bucket; bucket++) {
          hash = crc32c(new TextEncoder().encode(bucketNames[bucket + 1] ?? ""), hash);
        }
        hash = crc32c(row.value ?? firstCursor.key, crc32c(row.key, hash));
      }
      if (chunk.next === undefined) return hash;
      cursor = chunk.next;
      return undefined;
    },
  };
}

function streamFile(
  file: SnapshotFile,
  view: ClientView,
  errors: ReadErrors,
): Pick<SnapshotStream, "next" | "touch" | "close"> {
  return {
    next() {
      try {
        return file.next();
      } catch (error) {
        return readRefusal(error, errors);
      }
    },
    touch: () => view.touch(),
    close: () => view.close(),
  };
}
