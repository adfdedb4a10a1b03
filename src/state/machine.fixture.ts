/**
 * For tests only: a machine on a backend that keeps every write, so that any crash image, which is
 * a prefix of the writes, can be opened again; and short ways to build entries.
 */

import type { Backend, BackendSnapshot } from "../platform/backend.js";
import { nodeHash } from "../platform/node/hash.js";
import { RowGenerations } from "../platform/row-generations.js";
import type { RowVisit, ScanRange } from "../platform/row-layer.js";
import type { RowRun } from "../platform/row-run.js";
import type { Bucket, RowWrite } from "../platform/rows.js";
import { type Entry, EntryType } from "../raft/types.js";
import { InternalRequest } from "../wire/gen/internal.js";
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../wire/gen/rpc.js";
import type { Machine } from "./apply.js";
import { createMachine } from "./machine.js";
import type { Applied } from "./types.js";

export class JournalBackend implements Backend {
  readonly writes: (readonly RowWrite[])[] = [];
  readonly #rows = new RowGenerations({
    get: () => undefined,
    scan: () => undefined,
    flush: () => undefined,
    defer: () => undefined,
  });

  /** What a crash leaves after the first `count` writes were saved. */
  image(count: number): JournalBackend {
    const image = new JournalBackend();
    for (const rows of this.writes.slice(0, count)) image.write(rows);
    return image;
  }

  write(rows: readonly RowWrite[], run?: RowRun): void {
    this.writes.push([...(run?.rows() ?? []), ...rows]);
    this.#rows.write(rows, run);
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    return this.#rows.get(bucket, key);
  }

  scan(bucket: Bucket, range: ScanRange, visit: RowVisit): void {
    this.#rows.scan(bucket, range, visit);
  }

  commit(): void {
    throw new Error("unused");
  }

  snapshot(): BackendSnapshot {
    throw new Error("unused");
  }

  copyTo(): void {
    throw new Error("unused");
  }

  sizes(): { readonly total: number; readonly inUse: number } {
    return { total: 0, inUse: 0 };
  }

  close(done: () => void): void {
    done();
  }
}

export const sha256 = nodeHash.sha256;
export const firstMember = 0x11n;

/** A machine with one member, at index 1. */
export function foundMachine(backend: Backend): Machine {
  const machine = createMachine(backend, sha256);
  machine.bootstrap({
    clusterId: 0xc1n,
    members: [
      { id: firstMember, name: "a", peerUrls: ["http://a"], clientUrls: [], isLearner: false },
    ],
    index: 1,
    term: 1,
  });
  return machine;
}

export function reopen(backend: Backend): Machine {
  return createMachine(backend, sha256);
}

export type Command = NonNullable<InternalRequest["request"]>;

export function encodeCommand(command: Command): Uint8Array {
  const header = { ID: 7n, proposer: firstMember, username: "", auth_revision: 0n };
  return InternalRequest.encode({ header, request: command }).finish();
}

export function applyData(machine: Machine, data: Uint8Array): Applied {
  const entry: Entry = { index: machine.appliedIndex + 1, term: 2, type: EntryType.normal, data };
  return machine.apply(entry);
}

export function applyCommand(machine: Machine, command: Command): Applied {
  return applyData(machine, encodeCommand(command));
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

export function bytes(latin1: string): Buffer {
  return Buffer.from(latin1, "latin1");
}

export function putOf(key: string, value: string, more: Partial<PutRequest> = {}): PutRequest {
  return {
    key: bytes(key),
    value: bytes(value),
    lease: 0n,
    prev_kv: false,
    ignore_value: false,
    ignore_lease: false,
    ...more,
  };
}

export function rangeOf(
  key: string,
  rangeEnd = "",
  more: Partial<RangeRequest> = {},
): RangeRequest {
  return {
    key: bytes(key),
    range_end: bytes(rangeEnd),
    limit: 0n,
    revision: 0n,
    sort_order: 0,
    sort_target: 0,
    serializable: false,
    keys_only: false,
    count_only: false,
    min_mod_revision: 0n,
    max_mod_revision: 0n,
    min_create_revision: 0n,
    max_create_revision: 0n,
    ...more,
  };
}

export function deleteOf(key: string, rangeEnd = "", prevKv = false): DeleteRangeRequest {
  return { key: bytes(key), range_end: bytes(rangeEnd), prev_kv: prevKv };
}

export function compareOf(key: string, more: Partial<Compare>): Compare {
  return {
    key: bytes(key),
    range_end: bytes(""),
    result: 0,
    target: 0,
    target_union: undefined,
    ...more,
  };
}

export function txnOf(parts: {
  readonly compare?: Compare[];
  readonly success?: RequestOp[];
  readonly failure?: RequestOp[];
}): TxnRequest {
  const { compare = [], success = [], failure = [] } = parts;
  return { compare, success, failure };
}
