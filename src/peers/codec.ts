/**
 * Encodes what members say to each other: an envelope that begins with one kind byte, around a raft
 * message, a request or a response. The asking member numbers its requests; a response carries the
 * number of its request. The layout is in docs/formats.md.
 */
import {
  encodedFingerprintBytes,
  type Fingerprint,
  readFingerprint,
  writeFingerprint,
} from "../state/fingerprint.js";

/**
 * The numbers of the questions between members, as on the wire. They never change their meaning.
 */
export const PeerMethod = {
  leaseKeepAlive: 1,
  leaseTimeToLive: 2,
  promote: 3,
  snapshotManifest: 6,
  snapshotChunk: 4,
  snapshotFailed: 5,
  integrityEvidence: 7,
  integritySelfCheck: 8,
  integrityContain: 9,
  healRequest: 12,
  healOffer: 13,
  etcdHash: 15,
  logSums: 16,
  hasSpace: 17,
} as const;
export type PeerMethod = (typeof PeerMethod)[keyof typeof PeerMethod];

/** One message between members, decoded. The kind byte says which of these it is. */
export type PeerEnvelope =
  | {
      readonly kind: "raft";
      readonly message: Uint8Array;
      /** The fingerprint of the sender's state. Undefined: the sender gives none. */
      readonly fingerprint: Fingerprint | undefined;
    }
  | {
      readonly kind: "request";
      readonly id: number;
      readonly method: number;
      readonly body: Uint8Array;
    }
  | {
      readonly kind: "response";
      readonly id: number;
      readonly error: string | undefined;
      readonly body: Uint8Array;
    };

const raftKind = 1;
const requestKind = 2;
const responseKind = 3;
const failureKind = 4;
/** The envelope holds the sender's fingerprint, then the raft message. */
const provenRaftKind = 5;
const headBytes = 9;

const mebibyte = 1024 * 1024;
/**
 * The limit for the entries of one turn, and for pieces of a state. One row may be as large as a
 * request.
 */
const largeMessageBytesMax = 64 * mebibyte;
const requestMessageBytesMax = 16 * mebibyte;
const failureMessageBytesMax = 1024;

/** The most bytes of an envelope that begins with this byte. 0: there is no such kind. */
export function messageBytesMax(kind: number): number {
  switch (kind) {
    case raftKind:
    case provenRaftKind:
    case responseKind:
      return largeMessageBytesMax;
    case requestKind:
      return requestMessageBytesMax;
    case failureKind:
      return failureMessageBytesMax;
    default:
      return 0;
  }
}

/** Wraps an encoded raft message, with the sender's fingerprint if it gives one. Copies both. */
export function raftEnvelope(
  message: Uint8Array,
  fingerprint: Fingerprint | undefined,
): Uint8Array {
  if (fingerprint !== undefined) {
    const proven = new Uint8Array(1 + encodedFingerprintBytes + message.length);
    proven[0] = provenRaftKind;
    writeFingerprint(proven, 1, fingerprint);
    proven.set(message, 1 + encodedFingerprintBytes);
    return proven;
  }
  const bytes = new Uint8Array(1 + message.length);
  bytes[0] = raftKind;
  bytes.set(message, 1);
  return bytes;
}

/** Wraps a request. `id` is the asking member's number of it; the response carries it back. */
export function requestEnvelope(id: number, method: PeerMethod, body: Uint8Array): Uint8Array {
  const bytes = withHead(requestKind, id, 1 + body.length);
  bytes[headBytes] = method;
  bytes.set(body, headBytes + 1);
  return bytes;
}

/** Wraps the body of the response to request `id`. */
export function responseEnvelope(id: number, body: Uint8Array): Uint8Array {
  const bytes = withHead(responseKind, id, body.length);
  bytes.set(body, headBytes);
  return bytes;
}

/**
 * `reason` is an ErrorReason if the asking member is to know it. The member that decodes any other
 * reason gets `timeout`.
 */
export function failureEnvelope(id: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason);
  const bytes = withHead(failureKind, id, text.length);
  bytes.set(text, headBytes);
  return bytes;
}

/** Undefined: the bytes are no envelope. The sender is broken, and the message is dropped. */
export function decodeEnvelope(bytes: Uint8Array): PeerEnvelope | undefined {
  const kind = bytes[0];
  if (kind === raftKind)
    return { kind: "raft", message: bytes.subarray(1), fingerprint: undefined };
  if (kind === provenRaftKind) {
    const fingerprint = readFingerprint(bytes, 1);
    if (fingerprint === undefined) return undefined;
    return { kind: "raft", message: bytes.subarray(1 + encodedFingerprintBytes), fingerprint };
  }
  if (bytes.length < headBytes) return undefined;
  const id = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(1, true);
  const body = bytes.subarray(headBytes);
  if (kind === requestKind && body.length > 0) {
    return { kind: "request", id, method: body[0] as number, body: body.subarray(1) };
  }
  if (kind === responseKind) return { kind: "response", id, error: undefined, body };
  if (kind === failureKind) {
    return { kind: "response", id, error: new TextDecoder().decode(body), body: emptyBytes };
  }
  return undefined;
}

const emptyBytes = new Uint8Array(0);

function withHead(kind: number, id: number, bodyBytes: number): Uint8Array {
  const bytes = new Uint8Array(headBytes + bodyBytes);
  bytes[0] = kind;
  new DataView(bytes.buffer).setFloat64(1, id, true);
  return bytes;
}
