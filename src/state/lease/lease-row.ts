/**
 * The stored form of a lease: row key = the id as 8 bytes big-endian, row value = etcd's
 * leasepb.Lease {ID=1, TTL=2, RemainingTTL=3}, zero fields omitted. This file only encodes the
 * numbers; lease-table.ts gives them their meaning.
 */
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { invariant } from "../../base/invariant.js";

/** TTLs in seconds; `remainingTtl` 0: never checkpointed. */
export interface LeaseRow {
  readonly id: bigint;
  readonly grantedTtl: number;
  readonly remainingTtl: number;
}

/** Two's complement, so that a negative id has a row as well. */
export function leaseRowKey(id: bigint): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigInt64(0, id);
  return key;
}

export function encodeLeaseRow(row: LeaseRow): Uint8Array {
  const writer = new BinaryWriter();
  if (row.id !== 0n) writer.uint32(8).int64(row.id);
  if (row.grantedTtl !== 0) writer.uint32(16).int64(row.grantedTtl);
  if (row.remainingTtl !== 0) writer.uint32(24).int64(row.remainingTtl);
  return writer.finish();
}

/** Unknown fields are skipped, as protobuf demands. */
export function decodeLeaseRow(value: Uint8Array): LeaseRow {
  const reader = new BinaryReader(value);
  let id = 0n;
  let grantedTtl = 0;
  let remainingTtl = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 8) id = BigInt(reader.int64());
    else if (tag === 16) grantedTtl = Number(reader.int64());
    else if (tag === 24) remainingTtl = Number(reader.int64());
    else reader.skip(tag & 7);
  }
  invariant(
    Number.isSafeInteger(grantedTtl) && Number.isSafeInteger(remainingTtl),
    "a stored lease has a TTL out of range",
    () => ({ id, grantedTtl, remainingTtl }),
  );
  return { id, grantedTtl, remainingTtl };
}
