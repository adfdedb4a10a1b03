/**
 * Encodes the answers of the KV service by hand: stored KeyValue bytes are spliced in as they are.
 * The result equals the generated codec's, byte for byte.
 *
 * Nothing is checked here: revisions, terms and counts are safe non-negative integers. Inside a
 * transaction's answer each header has only a revision; a header without one is empty, but present.
 */
import type { EncodedRows } from "./encoded-rows.js";
import {
  bigField,
  delimitedLength,
  fieldLength,
  writeBytes,
  writeDelimited,
  writeDelimiter,
  writeField,
} from "./protobuf-writer.js";

export interface SplicedRange {
  readonly kind: "range";
  readonly kvs: readonly Uint8Array[];
  /** Set instead of `kvs` if the rows are many. */
  readonly encoded?: EncodedRows;
  readonly more: boolean;
  readonly count: number;
}
export interface SplicedPut {
  readonly kind: "put";
  readonly prevKv: Uint8Array | undefined;
}
export interface SplicedDeleteRange {
  readonly kind: "deleteRange";
  readonly deleted: number;
  readonly prevKvs: readonly Uint8Array[];
  /** Set instead of `prevKvs` if the rows are many. */
  readonly encoded?: EncodedRows;
}
export interface SplicedTxn {
  readonly kind: "txn";
  readonly succeeded: boolean;
  readonly responses: readonly { readonly revision: number; readonly outcome: SplicedOutcome }[];
}
/** The body of a response, without its header. `kvs` and the like are encoded mvccpb.KeyValue. */
export type SplicedOutcome = SplicedRange | SplicedPut | SplicedDeleteRange | SplicedTxn;

const headerTag = 0x0a;
/** Tags of ResponseOp: one field for each kind. */
export const opTags = { range: 0x0a, put: 0x12, deleteRange: 0x1a, txn: 0x22 } as const;

/** Encodes the answers of one member. */
export class KvResponseEncoder {
  /** The encoded first two fields of the header. */
  readonly #ids: Uint8Array;

  constructor(of: { readonly clusterId: bigint; readonly memberId: bigint }) {
    this.#ids = new Uint8Array([...bigField(0x08, of.clusterId), ...bigField(0x10, of.memberId)]);
  }

  /**
   * Encodes the response that fits the outcome's kind: RangeResponse, PutResponse,
   * DeleteRangeResponse or TxnResponse.
   */
  encode(outcome: SplicedOutcome, revision: number, raftTerm: number): Uint8Array {
    const headerLength = this.#headerLength(revision, raftTerm);
    const out = Buffer.allocUnsafe(delimitedLength(headerLength) + bodyLength(outcome));
    writeBody(out, this.#writeHeader(out, revision, raftTerm), outcome);
    return out;
  }

  /** Encodes the header alone, as field 1. */
  encodeHeader(revision: number, raftTerm: number): Uint8Array {
    const head = new Uint8Array(delimitedLength(this.#headerLength(revision, raftTerm)));
    this.#writeHeader(head, revision, raftTerm);
    return head;
  }

  #headerLength(revision: number, raftTerm: number): number {
    return this.#ids.length + fieldLength(revision) + fieldLength(raftTerm);
  }

  #writeHeader(out: Uint8Array, revision: number, raftTerm: number): number {
    let at = writeDelimiter(out, 0, headerTag, this.#headerLength(revision, raftTerm));
    at = writeBytes(out, at, this.#ids);
    at = writeField(out, at, 0x18, revision);
    return writeField(out, at, 0x20, raftTerm);
  }
}

/** The number of bytes behind the header. */
export function bodyLength(outcome: SplicedOutcome): number {
  switch (outcome.kind) {
    case "range": {
      const rows = outcome.encoded?.bytes ?? kvsLength(outcome.kvs);
      return rows + (outcome.more ? 2 : 0) + fieldLength(outcome.count);
    }
    case "put":
      return outcome.prevKv === undefined ? 0 : delimitedLength(outcome.prevKv.length);
    case "deleteRange":
      return fieldLength(outcome.deleted) + (outcome.encoded?.bytes ?? kvsLength(outcome.prevKvs));
    case "txn": {
      let length = outcome.succeeded ? 2 : 0;
      for (const response of outcome.responses) {
        length += delimitedLength(delimitedLength(nestedLength(response)));
      }
      return length;
    }
  }
}

export function writeBody(out: Uint8Array, from: number, outcome: SplicedOutcome): number {
  let at = from;
  switch (outcome.kind) {
    case "range":
      for (const kv of outcome.kvs) at = writeDelimited(out, at, 0x12, kv);
      for (const piece of outcome.encoded?.pieces ?? []) at = writeBytes(out, at, piece);
      at = writeField(out, at, 0x18, outcome.more ? 1 : 0);
      return writeField(out, at, 0x20, outcome.count);
    case "put":
      return outcome.prevKv === undefined ? at : writeDelimited(out, at, 0x12, outcome.prevKv);
    case "deleteRange":
      at = writeField(out, at, 0x10, outcome.deleted);
      for (const kv of outcome.prevKvs) at = writeDelimited(out, at, 0x1a, kv);
      for (const piece of outcome.encoded?.pieces ?? []) at = writeBytes(out, at, piece);
      return at;
    case "txn":
      at = writeField(out, at, 0x10, outcome.succeeded ? 1 : 0);
      for (const response of outcome.responses) at = writeNested(out, at, response);
      return at;
  }
}

/** The number of bytes of one of a transaction's responses, header included. */
export function nestedLength(response: SplicedTxn["responses"][number]): number {
  return delimitedLength(fieldLength(response.revision)) + bodyLength(response.outcome);
}

function writeNested(
  out: Uint8Array,
  from: number,
  response: SplicedTxn["responses"][number],
): number {
  const { revision, outcome } = response;
  const length = nestedLength(response);
  let at = writeDelimiter(out, from, 0x1a, delimitedLength(length));
  at = writeDelimiter(out, at, opTags[outcome.kind], length);
  at = writeDelimiter(out, at, headerTag, fieldLength(revision));
  at = writeField(out, at, 0x18, revision);
  return writeBody(out, at, outcome);
}

function kvsLength(kvs: readonly Uint8Array[]): number {
  let length = 0;
  for (const kv of kvs) length += delimitedLength(kv.length);
  return length;
}
