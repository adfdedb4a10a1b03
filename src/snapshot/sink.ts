/**
 * The receiving side of a state transfer. It pulls the pieces into a new backend and proves the
 * result against the manifest by a full scan. Raft hears of the snapshot only then. A failure at
 * any step leaves the member as it was, and the next offer starts anew.
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import { PeerMethod } from "../peers/codec.js";
import type { Backend, BackendStore } from "../platform/backend.js";
import type { Machine } from "../state/apply.js";
import type { FetchedState } from "../storage/fetched-state.js";
import { type Cursor, decodeChunk, encodeCursor, firstCursor } from "./row-chunk.js";
import { decodeManifest, type Manifest } from "./source.js";

/** The sink begins a commit when it has received this many bytes since the last one. */
const commitBytes = 8 * 1024 * 1024;
/** How often one piece is asked for before the transfer is given up. */
const attemptsMax = 5;

/** Prefix of the names of backends that hold the snapshot at `index`, complete or not. */
export function fetchedPrefix(index: number): string {
  return `snap-${index}-`;
}

export interface SnapshotSinkParts {
  /** The prefix of its backends' names; `fetchedPrefix` if left out. */
  prefix?(index: number): string;
  readonly backends: BackendStore;
  request(to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>): void;
  /**
   * Opens the machine on a complete backend and proves that rows, stored digest and `root` agree.
   */
  verify(
    fetched: { readonly backend: Backend; readonly root: Uint8Array },
    isStopped: () => boolean,
    done: (result: Machine | Error) => void,
  ): void;
  log(message: string, fields: Readonly<Record<string, unknown>>): void;
}

export class SnapshotSink {
  readonly #parts: SnapshotSinkParts;
  #running:
    | { readonly from: bigint; readonly index: number; readonly transfer: Transfer }
    | undefined;
  #fetched: FetchedState | undefined;
  #transfers = 0;

  constructor(parts: SnapshotSinkParts) {
    this.#parts = parts;
  }

  /**
   * Fetches the state at `index`. Calls `done` once, later: without an error when the state is
   * complete and proven (`take` gives it). Does nothing if the same offer is being fetched already;
   * `done` is not called then. Another offer ends the running transfer, because its sender may no
   * longer lead.
   */
  fetch(from: bigint, index: number, done: (error: Error | undefined) => void): void {
    const running = this.#running;
    if (running?.from === from && running.index === index) return;
    if (running !== undefined) running.transfer.abandon();
    this.discard();
    const prefix = this.#parts.prefix?.(index) ?? fetchedPrefix(index);
    const name = `${prefix}${this.#transfers++}`;
    const backend = this.#parts.backends.open(name);
    const transfer = new Transfer(this.#parts, { from, index, name, backend }, (result) => {
      this.#running = undefined;
      if (result instanceof Error) {
        backend.close(() => this.#parts.backends.remove(name));
        done(result);
        return;
      }
      invariant(this.#fetched === undefined, "two fetched states wait for raft", () => ({ name }));
      this.#fetched = { name, backend, machine: result };
      done(undefined);
    });
    this.#running = { from, index, transfer };
    this.#parts.log("fetching snapshot", { "snapshot-index": index, from: from.toString(16) });
    transfer.start();
  }

  hasFetched(): boolean {
    return this.#fetched !== undefined;
  }

  /** Hands the verified state at `index` over to the caller. Undefined: there is none. */
  take(index: number): FetchedState | undefined {
    const fetched = this.#fetched;
    if (fetched?.machine.appliedIndex !== index) return undefined;
    this.#fetched = undefined;
    return fetched;
  }

  /** Drops a fetched state that raft did not want. */
  discard(): void {
    const fetched = this.#fetched;
    this.#fetched = undefined;
    fetched?.backend.close(() => this.#parts.backends.remove(fetched.name));
  }

  /** Call when the member stops. Ends the running transfer and closes a fetched state. */
  stop(): void {
    this.#running?.transfer.abandon();
    this.#running = undefined;
    this.discard();
  }

  /**
   * Closes a fetched state but keeps its files: the log may name it, and the next start finds it.
   */
  leave(): void {
    this.#fetched?.backend.close(() => {});
    this.#fetched = undefined;
  }
}

class Transfer {
  readonly #parts: SnapshotSinkParts;
  readonly #target: {
    readonly from: bigint;
    readonly index: number;
    readonly name: string;
    readonly backend: Backend;
  };
  readonly #done: (result: Machine | Error) => void;
  #isOver = false;
  /** Bytes of pieces that were written since the last commit began. */
  #uncommittedBytes = 0;
  #isCommitting = false;
  /** The step that waits for the running commit. */
  #waiting: (() => void) | undefined;
  #manifest: Manifest | undefined;

  constructor(
    parts: SnapshotSinkParts,
    target: {
      readonly from: bigint;
      readonly index: number;
      readonly name: string;
      readonly backend: Backend;
    },
    done: (result: Machine | Error) => void,
  ) {
    this.#parts = parts;
    this.#target = target;
    this.#done = (result) => {
      if (this.#isOver) return;
      // A piece or a commit may still be under way.
      this.#isOver = true;
      done(result);
    };
  }

  /** Ends the transfer without a result. Its backend is closed when the step under way ends. */
  abandon(): void {
    this.#isOver = true;
    const { backend, name } = this.#target;
    backend.close(() => this.#parts.backends.remove(name));
  }

  start(attempt = 1): void {
    const { from, index } = this.#target;
    this.#parts.request(from, PeerMethod.snapshotManifest, indexBytes(index, none), (body) => {
      if (this.#isOver) return;
      const manifest = body instanceof KvError ? undefined : decodeManifest(body);
      if (manifest?.index === index) {
        this.#manifest = manifest;
        this.#pull(firstCursor, 1);
      } else if (attempt < attemptsMax && isTimeout(body)) this.start(attempt + 1);
      else this.#done(body instanceof KvError ? body : new Error("the manifest does not fit"));
    });
  }

  #pull(cursor: Cursor, attempt: number): void {
    const body = indexBytes(this.#target.index, encodeCursor(cursor));
    this.#parts.request(this.#target.from, PeerMethod.snapshotChunk, body, (answer) => {
      if (this.#isOver) return;
      const chunk = answer instanceof KvError ? undefined : decodeChunk(answer);
      if (chunk === undefined) {
        const isWorthRetrying = isTimeout(answer) || !(answer instanceof KvError);
        if (attempt < attemptsMax && isWorthRetrying) this.#pull(cursor, attempt + 1);
        else this.#done(answer instanceof KvError ? answer : new Error("a damaged chunk"));
        return;
      }
      this.#target.backend.write(chunk.rows);
      this.#uncommittedBytes += (answer as Uint8Array).length;
      this.#received(chunk.next);
    });
  }

  /**
   * Asks for the next piece while earlier ones become durable. Memory holds at most two commits.
   */
  #received(next: Cursor | undefined): void {
    const { backend } = this.#target;
    if (next === undefined) {
      const { root } = this.#manifest as Manifest;
      const prove = (): void =>
        this.#parts.verify({ backend, root }, () => this.#isOver, this.#done);
      this.#afterCommit(() => this.#commit(prove));
    } else if (this.#uncommittedBytes < commitBytes) this.#pull(next, 1);
    else {
      this.#afterCommit(() => {
        this.#commit(() => {});
        this.#pull(next, 1);
      });
    }
  }

  /** Runs `fn` after the running commit; at once if none runs. */
  #afterCommit(fn: () => void): void {
    if (!this.#isCommitting) {
      fn();
      return;
    }
    invariant(this.#waiting === undefined, "two steps of a transfer wait for one commit");
    this.#waiting = fn;
  }

  #commit(done: () => void): void {
    invariant(!this.#isCommitting, "two commits of one transfer at a time");
    this.#uncommittedBytes = 0;
    this.#isCommitting = true;
    this.#target.backend.commit((error) => {
      if (this.#isOver) return;
      this.#isCommitting = false;
      if (error !== undefined) {
        this.#done(error);
        return;
      }
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.();
      done();
    });
  }
}

const none = new Uint8Array(0);

function indexBytes(index: number, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + rest.length);
  new DataView(bytes.buffer).setFloat64(0, index, true);
  bytes.set(rest, 8);
  return bytes;
}

function isTimeout(answer: Uint8Array | KvError): boolean {
  return answer instanceof KvError && answer.reason === "timeout";
}
