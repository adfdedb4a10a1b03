/**
 * Maintenance/Snapshot: the state as etcd's backend file, in 32 KiB pieces, each with the number of
 * bytes still to come, then the SHA-256 of all of them as a last piece. Sends no faster than the
 * client takes. Releases the state at the end, on an error and when the client leaves.
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { StreamCall } from "../grpc/call.js";
import type { Member, SnapshotStream } from "../member/types.js";
import type { Hash, Sha256Stream } from "../platform/hash.js";
import { encodeSnapshotPiece } from "../wire/snapshot-response.js";
import { owned } from "./owned.js";
import { refuse } from "./status.js";

const pieceBytes = 32 * 1024;

export function sendSnapshot(member: Member, hash: Hash, call: StreamCall): void {
  let isOver = false;
  let sender: SnapshotSender | undefined;
  call.onCancel(() => {
    isOver = true;
    sender?.close();
  });
  const opened: Done<SnapshotStream> = (source) => {
    if (source instanceof KvError) {
      refuse(call, source);
    } else if (isOver) {
      source.close();
    } else {
      sender = new SnapshotSender(member, source, hash.createSha256(), call);
      source.onEnd((error) => sender?.fail(error));
      call.onDrain(() => sender?.goOn());
      sender.goOn();
    }
  };
  member.openSnapshot(owned(member, call, opened), call);
}

class SnapshotSender {
  readonly #source: SnapshotStream;
  readonly #sha256: Sha256Stream;
  readonly #call: StreamCall;
  readonly #version: Uint8Array;
  #remaining: number;
  /** Bytes that the source gave and that are not sent yet. */
  #chunk: Uint8Array = new Uint8Array(0);
  #isOver = false;
  /** True if this stream has asked for a turn. */
  #isAsked = false;
  readonly #turn: () => void;

  constructor(member: Member, source: SnapshotStream, sha256: Sha256Stream, call: StreamCall) {
    this.#turn = owned(member, call, () => this.#send());
    this.#source = source;
    this.#sha256 = sha256;
    this.#call = call;
    this.#version = new TextEncoder().encode(source.version);
    this.#remaining = source.totalBytes;
  }

  /** Sends more when it is this stream's turn. */
  goOn(): void {
    if (this.#isAsked || this.#isOver) return;
    this.#isAsked = true;
    this.#source.touch();
    this.#source.takeTurn(this.#turn);
  }

  /** Sends until the transport is full, or until one chunk of the source is sent. */
  #send(): void {
    this.#isAsked = false;
    let hasRoom = true;
    for (let isFirst = true; hasRoom && !this.#isOver; isFirst = false) {
      if (!isFirst && this.#chunk.length === 0) {
        this.goOn();
        return;
      }
      const piece = this.#nextPiece();
      if (piece instanceof KvError) {
        this.fail(piece);
      } else if (piece === undefined) {
        this.#sendPiece(this.#sha256.digest(), 0);
        this.close();
        this.#call.end();
      } else {
        this.#sha256.update(piece);
        this.#remaining -= piece.length;
        hasRoom = this.#sendPiece(piece, this.#remaining);
      }
    }
  }

  /** Ends the stream, because the state can no longer be read. */
  fail(error: KvError): void {
    if (this.#isOver) return;
    this.close();
    refuse(this.#call, error);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#source.close();
  }

  #nextPiece(): Uint8Array | KvError | undefined {
    if (this.#chunk.length === 0) {
      const chunk = this.#source.next();
      if (chunk === undefined || chunk instanceof KvError) return chunk;
      this.#chunk = chunk;
    }
    const piece = this.#chunk.subarray(0, pieceBytes);
    this.#chunk = this.#chunk.subarray(pieceBytes);
    return piece;
  }

  #sendPiece(blob: Uint8Array, remaining: number): boolean {
    return this.#call.send(encodeSnapshotPiece(blob, remaining, this.#version));
  }
}
