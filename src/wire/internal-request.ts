/**
 * Opens a log entry's InternalRequest (proto/internal.proto) without decoding the request in it:
 * puts are most of all entries, and their bytes are needed as they are.
 */
import { InvariantViolation } from "../base/invariant.js";
import { RequestHeader } from "./gen/internal.js";
import { PutRequest } from "./gen/rpc.js";

export interface OpenedRequest {
  /** 0 and 0n when nobody waits. */
  readonly requestId: number;
  readonly proposer: bigint;
  /** Field number of the request in it. */
  readonly field: number;
  readonly body: Uint8Array;
}

const headerField = 100;
const lengthDelimited = 2;
const empty = new Uint8Array(0);

/** @throws InvariantViolation: an entry that this version cannot read must not be skipped. */
export function openRequest(data: Uint8Array): OpenedRequest {
  const cursor = { at: 0 };
  let header: { requestId: number; proposer: bigint } = { requestId: 0, proposer: 0n };
  let field = 0;
  let body: Uint8Array = empty;
  while (cursor.at < data.length) {
    const tag = readVarint(data, cursor);
    if ((tag & 7) !== lengthDelimited) throw new InvariantViolation("an unknown entry", { tag });
    const length = readVarint(data, cursor);
    const end = cursor.at + length;
    if (end > data.length) throw new InvariantViolation("an entry ends inside a field");
    const part = data.subarray(cursor.at, end);
    cursor.at = end;
    if (tag >>> 3 === headerField) header = openHeader(part);
    else {
      field = tag >>> 3;
      body = part;
    }
  }
  return { ...header, field, body };
}

/** As our proposers write it: id varint, then the proposer as fixed64; else the general way. */
function openHeader(bytes: Uint8Array): { requestId: number; proposer: bigint } {
  const cursor = { at: 1 };
  const id = bytes[0] === 0x08 ? readVarint(bytes, cursor) : 0;
  const { at } = cursor;
  if (id > 0 && bytes[at] === 0x81 && bytes[at + 1] === 0x01 && bytes.length === at + 10) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return { requestId: id, proposer: view.getBigUint64(at + 2, true) };
  }
  const header = RequestHeader.decode(bytes);
  return { requestId: Number(header.ID), proposer: header.proposer };
}

export type PutFields = Pick<PutRequest, "lease" | "prev_kv" | "ignore_value" | "ignore_lease"> & {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
};

/** `key` and `value` are views of `body`. The common put, key and value alone, is read by hand. */
export function openPut(body: Uint8Array): PutFields {
  if (body[0] === 0x0a) {
    const cursor = { at: 1 };
    const keyEnd = readVarint(body, cursor) + cursor.at;
    const key = body.subarray(cursor.at, keyEnd);
    cursor.at = keyEnd;
    const isPlain = keyEnd === body.length || (keyEnd < body.length && body[keyEnd] === 0x12);
    if (isPlain) {
      cursor.at++;
      const valueEnd = keyEnd === body.length ? keyEnd : readVarint(body, cursor) + cursor.at;
      if (valueEnd === body.length) {
        const value = keyEnd === body.length ? empty : body.subarray(cursor.at, valueEnd);
        return {
          key,
          value,
          lease: 0n,
          prev_kv: false,
          ignore_value: false,
          ignore_lease: false,
        };
      }
    }
  }
  return PutRequest.decode(body);
}

function readVarint(bytes: Uint8Array, cursor: { at: number }): number {
  let value = 0;
  for (let scale = 1; cursor.at < bytes.length; scale *= 128) {
    const byte = bytes[cursor.at++] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
  throw new InvariantViolation("an entry ends inside a number");
}
