/**
 * The sending side of a state transfer. A frozen view of the backend serves any number of
 * receivers, piece by piece, until nobody has asked for a while; raft is told exactly the index
 * that the view holds. The manifest lets the receiver prove what it got.
 */
import { KvError } from "../base/errors.js";
import type { BackendSnapshot } from "../platform/backend.js";
import type { Clock, Timer } from "../platform/clock.js";
import type { ConfState, SnapshotMeta } from "../raft/types.js";
import { decodeCursor, encodeChunk } from "./row-chunk.js";
import { readSoundChunk } from "./sound-chunk.js";

export const chunkBytes = 512 * 1024;
const idleMs = 30_000;
/** index (8), term (8), root (32). */
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
  /** The oldest index a receiver can go on from by log alone, minus one. */
  oldestUsable(): number;
  /** A snapshot that does not name a member cannot be sent to it. */
  confState(): ConfState;
}

export class SnapshotSource {
  readonly #parts: SnapshotSourceParts;
  #state: FrozenState | undefined;
  /** Of the freeze that is under way; undefined: none is. */
  #freezing: object | undefined;
  #offers: ((state: FrozenState) => void)[] = [];
  #idle: Timer | undefined;
  /** When each receiver last asked for something. */
  readonly #askedMs = new Map<bigint, number>();
  served = 0;

  constructor(parts: SnapshotSourceParts) {
    this.#parts = parts;
  }

  /** What raft may offer now; undefined while a view is being made: raft asks again. */
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
        // Closed meanwhile: nobody waits for it any more.
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

  /** Of the frozen state, while somebody fetches it or did so a moment ago; undefined: nobody. */
  sentIndex(): number | undefined {
    return this.#state?.meta.index;
  }

  /** When `receiver` last asked; undefined: never since it was forgotten. */
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

  /** For a member that asks by itself: a state that is frozen now, and its manifest. */
  offer(done: (offer: { readonly manifest: Uint8Array; readonly index: number }) => void): void {
    const tell = (state: FrozenState): void => {
      this.#touch();
      done({ manifest: encodeManifest(state), index: state.meta.index });
    };
    this.#offers.push(tell);
    this.#freeze();
  }

  /** `body`: the index (8 bytes), then a cursor. */
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

  /** Lets go of what is frozen or being frozen; it may be asked again, for another state. */
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

/** Undefined: not a manifest. */
export function decodeManifest(bytes: Uint8Array): Manifest | undefined {
  if (bytes.length !== manifestBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    index: view.getFloat64(0, true),
    term: view.getFloat64(8, true),
    root: bytes.slice(16),
  };
}
