/**
 * The member's replicated state: the backend in use and the machine on it. Both change together,
 * when a snapshot is installed or the backend is rewritten compactly; everybody else asks here each
 * time and never keeps them.
 */
import { equalBytes } from "../base/bytes.js";
import type { Backend, BackendStore } from "../platform/backend.js";
import type { Disk } from "../platform/disk.js";
import type { Sha256 } from "../platform/hash.js";
import type { SnapshotMeta } from "../raft/types.js";
import { scanDigests } from "../state/digest.js";
import { createMachine } from "../state/machine.js";
import type { KvReader, Machine } from "../state/types.js";
import { writeSlot } from "./backend-slot.js";
import type { StateProof } from "./committer.js";
import type { FetchedState } from "./snapshot-sink.js";

export class StateStore {
  readonly #disk: Disk;
  readonly #backends: BackendStore;
  readonly #sha256: Sha256;
  #name: string;
  #backend: Backend;
  #machine: Machine;

  constructor(
    world: { readonly disk: Disk; readonly backends: BackendStore; readonly sha256: Sha256 },
    current: FetchedState,
  ) {
    this.#disk = world.disk;
    this.#backends = world.backends;
    this.#sha256 = world.sha256;
    this.#name = current.name;
    this.#backend = current.backend;
    this.#machine = current.machine;
  }

  machine(): Machine {
    return this.#machine;
  }

  backend(): Backend {
    return this.#backend;
  }

  /** A reader that follows replacements: for those who must keep one. */
  kv(): KvReader {
    const now = (): KvReader => this.#machine.kv;
    return {
      revision: () => now().revision(),
      compactRevision: () => now().compactRevision(),
      finishedCompactRevision: () => now().finishedCompactRevision(),
      range: (request) => now().range(request),
      readTxn: (request) => now().readTxn(request),
      kvAt: (key, revision) => now().kvAt(key, revision),
      history: (options, visit) => now().history(options, visit),
      hashKv: (revision) => now().hashKv(revision),
      keyCount: () => now().keyCount(),
    };
  }

  /** What the applied state is, for raft and the log. */
  meta(): SnapshotMeta {
    const { appliedIndex, appliedTerm, confState } = this.#machine;
    return { index: appliedIndex, term: appliedTerm, confState };
  }

  /** Identifies and proves the applied state, for a snapshot of it. */
  proof(): StateProof {
    const digests = this.#machine.digests();
    return { meta: this.meta(), root: digests.root, digests };
  }

  /** Proves a fetched backend: its rows, its stored digests, and these against `root`. */
  verify(backend: Backend, root: Uint8Array): Machine | Error {
    const machine = verifyState(backend, this.#sha256);
    if (machine instanceof Error || equalBytes(machine.digests().root, root)) return machine;
    return new Error("the snapshot is not the one promised");
  }

  /** Puts a complete and durable state in the place of the current one. */
  replace(next: FetchedState): void {
    const old = { name: this.#name, backend: this.#backend };
    writeSlot(this.#disk, next.name);
    this.#name = next.name;
    this.#backend = next.backend;
    this.#machine = next.machine;
    old.backend.close(() => this.#backends.remove(old.name));
  }

  /** Rewrites the durable rows into a fresh backend and changes over to it. */
  compactFile(done: (error: Error | undefined) => void): void {
    const generation = Number(/^state-(\d+)$/.exec(this.#name)?.[1] ?? 0) + 1;
    const name = `state-${generation}`;
    if (this.#backends.list().includes(name)) this.#backends.remove(name);
    this.#backend.copyTo(name, (error) => {
      if (error !== undefined) {
        done(error);
        return;
      }
      try {
        const backend = this.#backends.open(name);
        const machine = createMachine(backend, this.#sha256);
        this.replace({ name, backend, machine });
      } catch (cause) {
        done(cause as Error);
        return;
      }
      done(undefined);
    });
  }

  close(done: () => void): void {
    this.#backend.close(done);
  }
}

/** Opens a backend and recomputes its digests from the rows: they must be those stored in it. */
export function verifyState(backend: Backend, sha256: Sha256): Machine | Error {
  let machine: Machine;
  try {
    machine = createMachine(backend, sha256);
    const stored = machine.digests();
    for (const [bucket, digest] of scanDigests(backend, sha256)) {
      const claimed = stored.buckets.get(bucket);
      if (claimed === undefined || !equalBytes(claimed, digest)) {
        return new Error(`the rows do not match their digest (bucket ${bucket})`);
      }
    }
  } catch (error) {
    return error as Error;
  }
  return machine;
}
