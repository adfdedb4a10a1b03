/**
 * Makes the first state of a member from rows that come from elsewhere: a backup. The rows go to a
 * backend that nobody uses yet. Only `finish` writes the row that makes them a state, with their
 * digests, so a crash before that leaves no state.
 */
import { invariant } from "../base/invariant.js";
import type { Backend } from "../platform/backend.js";
import type { Sha256 } from "../platform/hash.js";
import type { Bucket, RowWrite } from "../platform/rows.js";
import { ClusterState } from "./cluster/cluster-state.js";
import { DigestSet } from "./digest.js";
import { EntryWrite } from "./entry-write.js";
import { emptyMeta, encodeMeta, metaKey } from "./meta.js";
import { sealRow } from "./rows.js";
import type { MemberRecord } from "./types.js";

export interface ImportedState {
  /** The index of the log entry that this state stands for. */
  readonly index: number;
  readonly term: number;
  readonly revision: number;
  /** -1: there was no compaction. */
  readonly compactRevision: number;
  readonly finishedCompactRevision: number;
  readonly clusterId: bigint;
  readonly members: readonly MemberRecord[];
}

export class StateImport {
  readonly #backend: Backend;
  readonly #digests: DigestSet;
  #rows: RowWrite[] = [];

  /** `backend` is empty. The caller commits it, now and then and after `finish`. */
  constructor(backend: Backend, sha256: Sha256) {
    this.#backend = backend;
    this.#digests = new DigestSet(sha256);
  }

  /** Adds a row that was not added before. Keeps the arrays. */
  add(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#digests.add(bucket, key, value);
    this.#rows.push({ bucket, key, value: sealRow(bucket, key, value) });
  }

  /** Hands the rows so far to the backend. */
  flush(): void {
    if (this.#rows.length > 0) this.#backend.write(this.#rows);
    this.#rows = [];
  }

  finish(state: ImportedState): void {
    invariant(
      state.finishedCompactRevision <= state.compactRevision,
      "compaction ends before it began",
    );
    this.flush();
    const { index, term, revision, compactRevision, finishedCompactRevision } = state;
    const meta = {
      ...emptyMeta(),
      index,
      term,
      revision,
      compactRevision,
      finishedCompactRevision,
    };
    const w = new EntryWrite(this.#backend, this.#digests);
    const founding = { members: state.members, removed: new Set<bigint>(), clusterVersion: "" };
    new ClusterState().bootstrap(w, state.clusterId, founding);
    w.commit(metaKey, encodeMeta(meta, this.#digests));
  }
}
