/**
 * Bytes between members on TCP (docs/formats.md, "Peer connections"). A connection begins with a
 * greeting: a magic that names its purpose, the length of a record, the record. Then frames follow:
 * length and CRC-32C, 4 bytes little-endian each, then the message. A frame without a message asks
 * whether the other side is alive; the other side answers with the same. A frame that fails its
 * check closes the connection, and nothing of the frame is delivered.
 */
import { crc32c } from "../../../base/crc32c.js";

/** Every magic has this length. */
export const magicBytes = 8;
/** A connection that carries messages of the dialling side. */
export const helloMagic = "LKSTEP2\n";
/** Asks the reached member whether it has dialled the asking one; brings the nonce to send. */
export const challengeMagic = "LKSTEP!\n";
/** Has no record. Asks for the cluster's members as JSON; then the server closes. */
export const queryMagic = "LKSTEP?\n";
export const nonceBytes = 16;
export const peerFrameHeaderBytes = 8;
const recordLengthBytes = 2;
/** Leaves room for fields of later versions. */
export const recordBytesMax = 1024;

/** The answer to a hello. `ok` is sent after the proof. */
export const HelloStatus = {
  ok: 0,
  wrongCluster: 1,
  wrongMember: 2,
  removed: 3,
  /** The reached member is still starting, or has too much to do: dial again. */
  notReady: 4,
  /** The reached member could not confirm the identity of the dialling side. */
  unproven: 5,
  /** The reached member knows the dialling side's id with another log. */
  wrongIncarnation: 6,
} as const;
export type HelloStatus = (typeof HelloStatus)[keyof typeof HelloStatus];

/** The answer to a challenge. */
export const ChallengeAnswer = { ours: 0, notOurs: 1 } as const;

export interface Greeting {
  readonly clusterId: bigint;
  readonly from: bigint;
  readonly to: bigint;
  /** Random bytes of the side that says hello. A challenge repeats them. */
  readonly token: Buffer;
  /** Set in a challenge; empty in a hello. */
  readonly nonce: Buffer;
  /** The incarnation of the log of the side that says hello. 0n: not given. */
  readonly incarnation: bigint;
}

const Field = { clusterId: 1, from: 2, to: 3, token: 4, nonce: 5, incarnation: 6 } as const;
const nothing = Buffer.alloc(0);

export function encodeGreeting(magic: string, greeting: Greeting): Buffer {
  const { clusterId, from, to, token, nonce, incarnation } = greeting;
  const record = Buffer.concat([
    field(Field.clusterId, u64(clusterId)),
    field(Field.from, u64(from)),
    field(Field.to, u64(to)),
    field(Field.token, token),
    ...(nonce.length === 0 ? [] : [field(Field.nonce, nonce)]),
    ...(incarnation === 0n ? [] : [field(Field.incarnation, u64(incarnation))]),
  ]);
  const length = Buffer.alloc(recordLengthBytes);
  length.writeUInt16LE(record.length);
  return Buffer.concat([Buffer.from(magic, "latin1"), length, record]);
}

/**
 * Decodes bytes that start with a magic. "cut": more bytes are needed. Undefined: this is no
 * greeting. The result's `bytes` is the length of the greeting. Unknown fields are skipped.
 */
export function decodeGreeting(
  bytes: Buffer,
): { readonly greeting: Greeting; readonly bytes: number } | "cut" | undefined {
  const start = magicBytes + recordLengthBytes;
  if (bytes.length < start) return "cut";
  const length = bytes.readUInt16LE(magicBytes);
  if (length > recordBytesMax) return undefined;
  if (bytes.length < start + length) return "cut";
  const fields = new Map<number, Buffer>();
  for (let at = start; at < start + length; ) {
    const end = at + 2 + (bytes[at + 1] ?? 0);
    if (at + 2 > start + length || end > start + length) return undefined;
    fields.set(bytes[at] as number, bytes.subarray(at + 2, end));
    at = end;
  }
  const id = (tag: number): bigint | undefined => {
    const value = fields.get(tag);
    return value?.length === 8 ? value.readBigUInt64LE(0) : undefined;
  };
  const [clusterId, from, to] = [id(Field.clusterId), id(Field.from), id(Field.to)];
  const token = fields.get(Field.token);
  if (clusterId === undefined || from === undefined || to === undefined) return undefined;
  if (token?.length !== nonceBytes) return undefined;
  const nonce = fields.get(Field.nonce) ?? nothing;
  // Copies the fields, so that the connection does not keep its first bytes in memory.
  const incarnation = id(Field.incarnation) ?? 0n;
  const copies = { token: Buffer.from(token), nonce: Buffer.from(nonce) };
  const greeting = { clusterId, from, to, incarnation, ...copies };
  return { greeting, bytes: start + length };
}

function field(tag: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag, value.length), value]);
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** The 8 bytes before a message: its length and its CRC-32C, little-endian. */
export function frameHeader(message: Uint8Array): Buffer {
  const header = Buffer.allocUnsafe(peerFrameHeaderBytes);
  header.writeUInt32LE(message.length, 0);
  header.writeUInt32LE(crc32c(message), 4);
  return header;
}

/** Asks whether the other side is alive, or answers that this side is. */
export const emptyFrame: Buffer = frameHeader(nothing);

export type FrameFlaw = "frame_too_large" | "frame_damaged";

/** Cuts a byte stream into frames. Memory grows with bytes received, never with a claimed length. */
export class PeerFrameReader {
  readonly #bytesMax: (kind: number) => number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** `bytesMax` gives the most bytes of a message that begins with this byte. */
  constructor(bytesMax: (kind: number) => number) {
    this.#bytesMax = bytesMax;
  }

  /** Length in bytes of the frame of which only a part has come; 0: there is none. */
  pending(): number {
    if (this.#bytes === 0) return 0;
    return this.#bytes < peerFrameHeaderBytes
      ? peerFrameHeaderBytes
      : peerFrameHeaderBytes + this.#peek(peerFrameHeaderBytes).readUInt32LE(0);
  }

  /**
   * Delivers each whole frame, also empty ones. Returns the flaw of the stream, if there is one;
   * the stream cannot be used after that.
   */
  push(chunk: Buffer, deliver: (message: Buffer) => void): FrameFlaw | undefined {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= peerFrameHeaderBytes) {
      const length = this.#peek(peerFrameHeaderBytes).readUInt32LE(0);
      if (length > 0 && this.#bytes > peerFrameHeaderBytes) {
        const kind = this.#peek(peerFrameHeaderBytes + 1)[peerFrameHeaderBytes] as number;
        if (length > this.#bytesMax(kind)) return "frame_too_large";
      }
      if (this.#bytes < peerFrameHeaderBytes + length) return undefined;
      const frame = this.#peek(peerFrameHeaderBytes + length);
      const message = frame.subarray(peerFrameHeaderBytes, peerFrameHeaderBytes + length);
      if (crc32c(message) !== frame.readUInt32LE(4)) return "frame_damaged";
      this.#drop(peerFrameHeaderBytes + length);
      deliver(message);
    }
    return undefined;
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
