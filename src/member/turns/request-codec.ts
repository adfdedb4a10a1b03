/**
 * Wraps an encoded request into a log entry's InternalRequest (proto/internal.proto) without
 * decoding it: header field 100 {ID = 1, username = 2, auth_revision = 3, proposer = 16 fixed64},
 * then the request's own field. Without a caller, header and entry are written by hand.
 */
import { cutBytes } from "../../base/slab.js";
import { RequestHeader } from "../../wire/gen/internal.js";
import type { Caller, RequestField } from "../../wire/proposal.js";
import { varintLength, writeVarint } from "../../wire/protobuf-writer.js";

/** Encodes for one proposer, so that the proposer's id is split into words only once. */
export class EntryEncoder {
  readonly #proposer: bigint;
  readonly #proposerLow: number;
  readonly #proposerHigh: number;

  constructor(proposer: bigint) {
    this.#proposer = proposer;
    this.#proposerLow = Number(proposer & 0xffffffffn);
    this.#proposerHigh = Number(proposer >> 32n);
  }

  /** `id` is a positive safe integer. The entry's Applied carries it back. */
  encode(id: number, field: RequestField, body: Uint8Array, caller?: Caller): Uint8Array {
    if (caller !== undefined && caller.authRevision !== 0) {
      return this.#encodeFor(caller, { id, field, body });
    }
    const headerBytes = 1 + varintLength(id) + 10;
    const tag = field * 8 + 2;
    const bytes = cutBytes(
      3 + headerBytes + varintLength(tag) + varintLength(body.length) + body.length,
    );
    // Field 100, length-delimited: tag 802 takes two bytes; the header has less than 128 bytes.
    bytes[0] = 0xa2;
    bytes[1] = 0x06;
    bytes[2] = headerBytes;
    bytes[3] = 0x08;
    let at = writeVarint(bytes, 4, id);
    // Field 16, fixed64: tag 129.
    bytes[at] = 0x81;
    bytes[at + 1] = 0x01;
    writeUint32(bytes, at + 2, this.#proposerLow);
    writeUint32(bytes, at + 6, this.#proposerHigh);
    at = writeVarint(bytes, at + 10, tag);
    at = writeVarint(bytes, at, body.length);
    bytes.set(body, at);
    return bytes;
  }

  #encodeFor(
    caller: Caller,
    request: { readonly id: number; readonly field: RequestField; readonly body: Uint8Array },
  ): Uint8Array {
    const { id, field, body } = request;
    const header = RequestHeader.encode({
      ID: BigInt(id),
      username: caller.username,
      auth_revision: BigInt(caller.authRevision),
      proposer: this.#proposer,
    }).finish();
    const tag = field * 8 + 2;
    const lengths = varintLength(header.length) + varintLength(tag) + varintLength(body.length);
    const bytes = cutBytes(2 + lengths + header.length + body.length);
    bytes[0] = 0xa2;
    bytes[1] = 0x06;
    let at = writeVarint(bytes, 2, header.length);
    bytes.set(header, at);
    at = writeVarint(bytes, at + header.length, tag);
    at = writeVarint(bytes, at, body.length);
    bytes.set(body, at);
    return bytes;
  }
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
