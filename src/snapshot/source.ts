/**
 * The sending side of a state transfer. One frozen view of the backend serves any number of
 * receivers, piece by piece, until nobody has asked for a while. Raft offers exactly the index of
 * the view. The manifest lets a receiver prove what it got.
 */
import { copyBytes } from "../base/bytes.js";
import { KvError } from "../base/errors.js";
import type { BackendSnapshot } from "../platform/backend.js";
import type { Clock, Timer } from "../platform/clock.js";
import type { ConfState, SnapshotMeta } from "../raft/types.js";
import { decodeCursor, encodeChunk } from "./row-chunk.js";
import { readSoundChunk } from "./sound-chunk.js";

export const chunkBytes = 512 * 1024;
const idleMs = 30_000;
/** Bytes of a manifest: index (8), term (8), root (32). */
export const manifestBytes = 48;

export interface Manifest {
  readonly index: number;
  readonly term: number;
  /** Root digest of the state at `index`: 32 bytes. */
  readonly root: Uint8Array;
}

export interface FrozenState {
  readonly view: BackendSnapshot;
  readonly meta: SnapshotMeta;
  readonly root: Uint8Array;
}

export interface SnapshotSourceParts {
  readonly clock: Clock;
  /** Makes all applied state durable, then freezes it. */
  freeze(done: (state: FrozenState) => void): void;
  /**
   * The lowest index of a snapshot that is of use: a receiver can continue from there by log alone.
   */
  oldestUsable(): number;
  /** The current configuration. A snapshot that does not name a member cannot be sent to it. */
  confState(): ConfState;
}

export class SnapshotSource {
  readonly #parts: SnapshotSourceParts;
  #state: FrozenState | undefined;
  /** Identifies the freeze that is under way; undefined: none is. */
  #freezing: object | undefined;
  #offers: ((state: FrozenState) => void)[] = [];
  #idle: Timer | undefined;
  /** When each receiver last asked for something, in milliseconds of the clock. */
  readonly #askedMs = new Map<bigint, number>();
  served = 0;

  constructor(parts: SnapshotSourceParts) {
    this.#parts = parts;
  }

  /**
   * The snapshot that raft may offer now. Undefined while a view is being made; raft asks again.
   */
  latest(): SnapshotMeta | undefined {
    const meta = this.#state?.meta;
    if (meta !== undefined && meta.index >= this.#parts.oldestUsable()) {
      if (sameMembers(meta.confState, this.#parts.confState())) {
        this.#touch();
        return meta;
      }
    }
    this.#freeze();
    return undefined;
  }

  #freeze(): void {
    if (this.#freezing !== undefined) return;
    const freezing = {};
    this.#freezing = freezing;
    this.#parts.freeze((state) => {
      if (this.#freezing !== freezing) {
        // The source was closed meanwhile, so nobody waits for this state.
        state.view.close();
        return;
      }
      this.#freezing = undefined;
      this.#drop();
      this.#state = state;
      this.#touch();
      for (const tell of this.#offers.splice(0)) tell(state);
    });
  }

  /**
   * The index of the frozen state, while a receiver fetches it or did so a moment ago. Undefined:
   * there is none.
   */
  sentIndex(): number | undefined {
    return this.#state?.meta.index;
  }

  /**
   * When `receiver` last asked, in milliseconds of the clock. Undefined: not since it was
   * forgotten.
   */
  askedMs(receiver: bigint): number | undefined {
    return this.#askedMs.get(receiver);
  }

  forget(receiver: bigint): void {
    this.#askedMs.delete(receiver);
  }

  manifest(from: bigint, index: number): Uint8Array | KvError {
    this.#askedMs.set(from, this.#parts.clock.now());
    const state = this.#state;
    if (state === undefined || state.meta.index !== index) return new KvError("compacted");
    this.#touch();
    return encodeManifest(state);
  }

  /** Freezes a state and gives its manifest, for a member that asks on its own. */
  offer(done: (offer: { readonly manifest: Uint8Array; readonly index: number }) => void): void {
    const tell = (state: FrozenState): void => {
      this.#touch();
      done({ manifest: encodeManifest(state), index: state.meta.index });
    };
    this.#offers.push(tell);
    this.#freeze();
  }

  /** `body` is the index (8 bytes), then a cursor. @throws DamageError */
  chunk(from: bigint, body: Uint8Array): Uint8Array | KvError {
    this.#askedMs.set(from, this.#parts.clock.now());
    const state = this.#state;
    const index =
      body.length < 9
        ? -1
        : new DataView(body.buffer, body.byteOffset, body.length).getFloat64(0, true);
    const cursor = decodeCursor(body.subarray(8));
    if (state === undefined || state.meta.index !== index || cursor === undefined) {
      return new KvError("compacted");
    }
    this.#touch();
    const chunk = readSoundChunk(state.view, cursor, chunkBytes);
    if (chunk.next === undefined) this.served++;
    return encodeChunk(chunk);
  }

  /** Releases the frozen state and ends a running freeze. The source can be used again. */
  close(): void {
    this.#idle?.cancel();
    this.#freezing = undefined;
    this.#offers = [];
    this.#drop();
  }

  #touch(): void {
    this.#idle?.cancel();
    this.#idle = this.#parts.clock.after(idleMs, () => this.#drop());
  }

  #drop(): void {
    this.#state?.view.close();
    this.#state = undefined;
  }
}

function encodeManifest(state: FrozenState): Uint8Array {
  const bytes = new Uint8Array(manifestBytes);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, state.meta.index, true);
  view.setFloat64(8, state.meta.term, true);
  bytes.set(state.root, 16);
  return bytes;
}

function sameMembers(a: ConfState, b: ConfState): boolean {
  const same = (x: readonly bigint[], y: readonly bigint[]): boolean =>
    x.length === y.length && x.every((id, place) => id === y[place]);
  return same(a.voters, b.voters) && same(a.learners, b.learners);
}

/** Undefined: the bytes are no manifest. */
export function decodeManifest(bytes: Uint8Array): Manifest | undefined {
  if (bytes.length !== manifestBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    index: view.getFloat64(0, true),
    term: view.getFloat64(8, true),
    root: copyBytes(bytes.subarray(16)),
  };
}
