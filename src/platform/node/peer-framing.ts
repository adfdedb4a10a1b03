/**
 * Bytes between members on TCP (docs/formats.md, "Peer connections"). A connection starts with a
 * 40-byte hello of the dialling side, answered by one status byte; then frames flow from the
 * dialling side only: length and CRC-32C, 4 bytes little-endian each, then the message. A frame
 * that fails its check closes the connection: nothing of it is delivered.
 */
import { crc32c } from "../../base/crc32c.js";

export const helloMagic = "LKSTEP2\n";
/** Instead of a hello: asks for the cluster's members as JSON, then the server closes. */
export const queryMagic = "LKSTEP?\n";
export const helloBytes = 40;
export const frameHeaderBytes = 8;
/** Above any raft message: the largest append and the largest request fit several times. */
const frameBytesMax = 64 * 1024 * 1024;

export const HelloStatus = {
  ok: 0,
  wrongCluster: 1,
  wrongMember: 2,
  removed: 3,
  wrongIncarnation: 4,
} as const;
export type HelloStatus = (typeof HelloStatus)[keyof typeof HelloStatus];

export interface Hello {
  readonly clusterId: bigint;
  readonly from: bigint;
  readonly to: bigint;
  /** Of the sender's log. */
  readonly incarnation: bigint;
}

export function encodeHello(hello: Hello): Buffer {
  const bytes = Buffer.alloc(helloBytes);
  bytes.write(helloMagic, 0, "latin1");
  bytes.writeBigUInt64LE(hello.clusterId, 8);
  bytes.writeBigUInt64LE(hello.from, 16);
  bytes.writeBigUInt64LE(hello.to, 24);
  bytes.writeBigUInt64LE(hello.incarnation, 32);
  return bytes;
}

/** Of `helloBytes` bytes that start with the magic. */
export function decodeHello(bytes: Buffer): Hello {
  return {
    clusterId: bytes.readBigUInt64LE(8),
    from: bytes.readBigUInt64LE(16),
    to: bytes.readBigUInt64LE(24),
    incarnation: bytes.readBigUInt64LE(32),
  };
}

export function frameHeader(message: Uint8Array): Buffer {
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  header.writeUInt32LE(message.length, 0);
  header.writeUInt32LE(crc32c(message), 4);
  return header;
}

/** Cuts a byte stream into frames. Memory grows with bytes received, never with a claimed length. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** Delivers each whole frame; returns false when the stream is damaged. */
  push(chunk: Buffer, deliver: (message: Buffer) => void): boolean {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= frameHeaderBytes) {
      const header = this.#peek(frameHeaderBytes);
      const length = header.readUInt32LE(0);
      if (length > frameBytesMax) return false;
      if (this.#bytes < frameHeaderBytes + length) return true;
      const frame = this.#peek(frameHeaderBytes + length);
      const message = frame.subarray(frameHeaderBytes, frameHeaderBytes + length);
      if (crc32c(message) !== frame.readUInt32LE(4)) return false;
      this.#drop(frameHeaderBytes + length);
      deliver(message);
    }
    return true;
  }

  /** The first `length` bytes in one piece; joins chunks only when they are split. */
  #peek(length: number): Buffer {
    const first = this.#chunks[0] as Buffer;
    if (first.length >= length) return first.subarray(0, length);
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined.subarray(0, length);
  }

  #drop(length: number): void {
    const first = this.#chunks[0] as Buffer;
    if (first.length === length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(length);
    this.#bytes -= length;
  }
}
