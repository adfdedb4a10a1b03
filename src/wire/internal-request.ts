/**
 * Opens a log entry's InternalRequest (proto/internal.proto) without decoding the request in it:
 * puts are most of all entries, and their bytes are needed as they are.
 */
import { InvariantViolation } from "../base/invariant.js";
import { RequestHeader } from "./gen/internal.js";
import { PutRequest } from "./gen/rpc.js";
import { noBytes } from "./protobuf-writer.js";

export interface OpenedRequest {
  /** The id under which the proposer waits; 0 and 0n when nobody waits. */
  requestId: number;
  proposer: bigint;
  /** On whose behalf the request comes (state/auth/types.ts); empty and 0: nobody. */
  username: string;
  authRevision: number;
  /** The field number of the request in the entry; 0: none. */
  field: number;
  body: Uint8Array;
}

export type PutRequestFields = Pick<
  PutRequest,
  "lease" | "prev_kv" | "ignore_value" | "ignore_lease"
> & {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
};

const headerField = 100;
const lengthDelimited = 2;

/**
 * Where the decoder stands. Decoding calls no other code, so one decoder state for all saves an
 * object per number.
 */
let cursor = 0;
/** The last proposer seen. Few members propose, and making a bigint costs more than comparing. */
let knownProposer = { low: 0, high: 0, id: 0n };

/** @throws InvariantViolation: an entry that this version cannot read must not be skipped. */
export function openRequest(data: Uint8Array): OpenedRequest {
  const request: OpenedRequest = {
    requestId: 0,
    proposer: 0n,
    username: "",
    authRevision: 0,
    field: 0,
    body: noBytes,
  };
  let at = 0;
  while (at < data.length) {
    cursor = at;
    const tag = readVarint(data);
    if ((tag & 7) !== lengthDelimited) throw new InvariantViolation("an unknown entry", { tag });
    const length = readVarint(data);
    at = cursor;
    const end = at + length;
    if (end > data.length) throw new InvariantViolation("an entry ends inside a field");
    const field = Math.floor(tag / 8);
    if (field === headerField) openHeader(data.subarray(at, end), request);
    else {
      request.field = field;
      request.body = data.subarray(at, end);
    }
    at = end;
  }
  return request;
}

/**
 * Reads the form that this program's proposers write: the id as varint, then the proposer as
 * fixed64. The general decoder reads any other form.
 */
function openHeader(bytes: Uint8Array, into: OpenedRequest): void {
  cursor = 1;
  const id = bytes[0] === 0x08 ? readVarint(bytes) : 0;
  const at = cursor;
  if (id > 0 && bytes[at] === 0x81 && bytes[at + 1] === 0x01 && bytes.length === at + 10) {
    into.requestId = id;
    into.proposer = proposerOf(readU32(bytes, at + 2), readU32(bytes, at + 6));
    return;
  }
  const header = RequestHeader.decode(bytes);
  into.requestId = Number(header.ID);
  into.proposer = header.proposer;
  into.username = header.username;
  into.authRevision = Number(header.auth_revision);
}

function proposerOf(low: number, high: number): bigint {
  if (low !== knownProposer.low || high !== knownProposer.high) {
    knownProposer = { low, high, id: (BigInt(high) << 32n) | BigInt(low) };
  }
  return knownProposer.id;
}

/**
 * Decodes a put. `key` and `value` are views of `body`. The common put, with key and value alone,
 * is read by hand. @throws InvariantViolation
 */
export function openPut(body: Uint8Array): PutRequestFields {
  const plain = openPlainPut(body);
  if (plain !== undefined) return plain;
  try {
    return PutRequest.decode(body);
  } catch (error) {
    throw new InvariantViolation("a committed put cannot be decoded", { error });
  }
}

function openPlainPut(body: Uint8Array): PutRequestFields | undefined {
  const { length } = body;
  if (body[0] !== 0x0a) return undefined;
  cursor = 1;
  const keyBytes = readVarint(body);
  const keyStart = cursor;
  const keyEnd = keyStart + keyBytes;
  let valueStart = keyEnd;
  if (keyEnd < length) {
    if (body[keyEnd] !== 0x12) return undefined;
    cursor = keyEnd + 1;
    const valueBytes = readVarint(body);
    valueStart = cursor;
    if (valueStart + valueBytes !== length) return undefined;
  } else if (keyEnd > length) return undefined;
  return {
    key: body.subarray(keyStart, keyEnd),
    value: body.subarray(valueStart, length),
    lease: 0n,
    prev_kv: false,
    ignore_value: false,
    ignore_lease: false,
  };
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

function readVarint(bytes: Uint8Array): number {
  let value = 0;
  for (let scale = 1; cursor < bytes.length; scale *= 128) {
    const byte = bytes[cursor++] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
  throw new InvariantViolation("an entry ends inside a number");
}
