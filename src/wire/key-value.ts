/**
 * Encodes and decodes mvccpb.KeyValue by hand: every put writes one and every read returns some.
 * The bytes are exactly those of etcd (fields ascending, zero values omitted), because HashKV
 * covers them. Numbers are safe integers, the lease a signed 64-bit bigint.
 */
import { InvariantViolation } from "../base/invariant.js";
import { cutBytes } from "../base/slab.js";
import {
  bigVarintLength,
  delimitedLength,
  fieldLength,
  noBytes,
  writeBigVarint,
  writeDelimited,
  writeField,
} from "./protobuf-writer.js";

export interface KeyValueFields {
  readonly key: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly value: Uint8Array;
  readonly lease: bigint;
}

const keyTag = 0x0a;
const createTag = 0x10;
const modTag = 0x18;
const versionTag = 0x20;
const valueTag = 0x2a;
const leaseTag = 0x30;
const varintBytesMax = 10;

/**
 * Where the decoder stands. Decoding calls no other code, so one decoder state for all saves an
 * object per number.
 */
let cursor = 0;

export function encodeKeyValue(kv: KeyValueFields): Uint8Array {
  const bytes = cutBytes(
    bytesLength(kv.key.length) +
      fieldLength(kv.createRevision) +
      fieldLength(kv.modRevision) +
      fieldLength(kv.version) +
      bytesLength(kv.value.length) +
      (kv.lease === 0n ? 0 : 1 + bigVarintLength(kv.lease)),
  );
  let at = writeNonEmpty(bytes, 0, keyTag, kv.key);
  at = writeField(bytes, at, createTag, kv.createRevision);
  at = writeField(bytes, at, modTag, kv.modRevision);
  at = writeField(bytes, at, versionTag, kv.version);
  at = writeNonEmpty(bytes, at, valueTag, kv.value);
  if (kv.lease !== 0n) {
    bytes[at] = leaseTag;
    writeBigVarint(bytes, at + 1, kv.lease);
  }
  return bytes;
}

/** Decodes a KeyValue. `key` and `value` are views of `bytes`. @throws InvariantViolation */
export function decodeKeyValue(bytes: Uint8Array): KeyValueFields {
  let key: Uint8Array = noBytes;
  let createRevision = 0;
  let modRevision = 0;
  let version = 0;
  let value: Uint8Array = noBytes;
  let lease = 0n;
  cursor = 0;
  while (cursor < bytes.length) {
    const tag = bytes[cursor++] as number;
    if (tag === keyTag) key = readBytes(bytes);
    else if (tag === createTag) createRevision = readNumber(bytes);
    else if (tag === modTag) modRevision = readNumber(bytes);
    else if (tag === versionTag) version = readNumber(bytes);
    else if (tag === valueTag) value = readBytes(bytes);
    else if (tag === leaseTag) lease = readBig(bytes);
    else throw new InvariantViolation("a stored row is no KeyValue", { tag });
  }
  return { key, createRevision, modRevision, version, value, lease };
}

/** Reads the key alone, as a view of `bytes`: it comes first. */
export function keyOf(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== keyTag) throw new InvariantViolation("a stored row has no key");
  cursor = 1;
  return readBytes(bytes);
}

/** Reads the value alone, as a view of `bytes`. */
export function valueBytesOf(bytes: Uint8Array): Uint8Array {
  return decodeKeyValue(bytes).value;
}

/** Returns the same KeyValue without its value, for keys_only. */
export function withoutValue(bytes: Uint8Array): Uint8Array {
  const kv = decodeKeyValue(bytes);
  return kv.value.length === 0 ? bytes : encodeKeyValue({ ...kv, value: noBytes });
}

function bytesLength(length: number): number {
  return length === 0 ? 0 : delimitedLength(length);
}

function writeNonEmpty(out: Uint8Array, at: number, tag: number, bytes: Uint8Array): number {
  return bytes.length === 0 ? at : writeDelimited(out, at, tag, bytes);
}

function readNumber(bytes: Uint8Array): number {
  let value = 0;
  for (let scale = 1; cursor < bytes.length; scale *= 128) {
    const byte = bytes[cursor++] as number;
    value += (byte & 127) * scale;
    if (byte < 128) {
      if (value <= Number.MAX_SAFE_INTEGER) return value;
      break;
    }
  }
  throw new InvariantViolation("a stored KeyValue has a bad number");
}

function readBig(bytes: Uint8Array): bigint {
  let value = 0n;
  const end = Math.min(bytes.length, cursor + varintBytesMax);
  for (let shift = 0n; cursor < end; shift += 7n) {
    const byte = bytes[cursor++] as number;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return BigInt.asIntN(64, value);
  }
  throw new InvariantViolation("a stored KeyValue has a bad lease");
}

function readBytes(bytes: Uint8Array): Uint8Array {
  const length = readNumber(bytes);
  const end = cursor + length;
  if (end > bytes.length) throw new InvariantViolation("a stored KeyValue ends inside a field");
  const field = bytes.subarray(cursor, end);
  cursor = end;
  return field;
}
