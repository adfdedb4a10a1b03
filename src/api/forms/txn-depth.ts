/**
 * How deep the transactions in an encoded one nest, found without decoding it. Decoding is
 * recursive, so a transaction must be shallow before a service decodes it, and wherever a member
 * applies the log (the stack may be smaller there). This code must never call shallow what the
 * generated decoder sees as deep. It leaves damaged bytes to the decoder.
 */

/** TxnRequest.success, TxnRequest.failure, and RequestOp.request_txn. */
const successTag = 0x12;
const failureTag = 0x1a;
const nestedTag = 0x22;
const delimited = 2;

interface Cursor {
  at: number;
}

/**
 * True if transactions nest deeper than `depthMax`. Also true for groups: no client writes them,
 * and they cannot be skipped in one step.
 */
export function nestsDeeperThan(txn: Uint8Array, depthMax: number): boolean {
  return visitTxn(txn, { at: 0 }, { end: txn.length, depthMax });
}

function visitTxn(
  bytes: Uint8Array,
  cursor: Cursor,
  { end, depthMax }: { readonly end: number; readonly depthMax: number },
): boolean {
  if (depthMax < 0) return true;
  while (cursor.at < end) {
    const tag = readVarint(bytes, cursor);
    if ((tag & 7) !== delimited) {
      if (!skipScalar(bytes, cursor, tag & 7)) return true;
      continue;
    }
    const length = readVarint(bytes, cursor);
    const opEnd = Math.min(cursor.at + length, end);
    const isOp = tag === successTag || tag === failureTag;
    if (isOp && visitOp(bytes, cursor, { end: opEnd, depthMax })) return true;
    cursor.at = opEnd;
  }
  return false;
}

function visitOp(
  bytes: Uint8Array,
  cursor: Cursor,
  { end, depthMax }: { readonly end: number; readonly depthMax: number },
): boolean {
  while (cursor.at < end) {
    const tag = readVarint(bytes, cursor);
    if ((tag & 7) !== delimited) {
      if (!skipScalar(bytes, cursor, tag & 7)) return true;
      continue;
    }
    const length = readVarint(bytes, cursor);
    const bodyEnd = Math.min(cursor.at + length, end);
    const nested = { end: bodyEnd, depthMax: depthMax - 1 };
    if (tag === nestedTag && visitTxn(bytes, cursor, nested)) return true;
    cursor.at = bodyEnd;
  }
  return false;
}

/** Skips a scalar. Returns false if the field is none. */
function skipScalar(bytes: Uint8Array, cursor: Cursor, wireType: number): boolean {
  if (wireType === 0) readVarint(bytes, cursor);
  else if (wireType === 1) cursor.at += 8;
  else if (wireType === 5) cursor.at += 4;
  else return false;
  return true;
}

/** Reads the low 32 bits of a varint, as the generated decoder reads tags and lengths. */
function readVarint(bytes: Uint8Array, cursor: Cursor): number {
  let value = 0;
  for (let shift = 0; cursor.at < bytes.length; shift += 7) {
    const byte = bytes[cursor.at++] as number;
    if (shift < 32) value |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  return value >>> 0;
}
