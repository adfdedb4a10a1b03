/**
 * What a peer may cost. Each limit keeps one connection from harming the others: beyond it a stream
 * or the connection ends, never the process.
 */
export interface Http2Limits {
  /** Streams that are open at a time; more are refused, and may be tried again. */
  readonly concurrentStreamsMax: number;
  /** Requests at a time that are not gRPC; more are refused, and may be tried again. */
  readonly httpRequestsMax: number;
  /** Header fields of one request as RFC 9113, section 6.5.2 counts them; more is answered with 431. */
  readonly headerListBytesMax: number;
  /** A header block as it came, over all its frames. */
  readonly headerBlockBytesMax: number;
  /** CONTINUATION frames of one header block. */
  readonly continuationsMax: number;
  /** What the peer may have under way to us on the whole connection. */
  readonly connectionWindow: number;
  /** What the peer may send on a stream before the message's length is known to fit. */
  readonly streamWindow: number;
  /** Octets of unfinished messages on one connection, without those that have leave to be large. */
  readonly unfinishedBytesMax: number;
  /** Octets that messages larger than `streamWindow` may hold at a time; others wait. */
  readonly largeMessageBytesMax: number;
  /** Answers that wait for the peer to read: beyond it new requests wait, too. */
  readonly waitingBytesHigh: number;
  /** Answers that wait for the peer to read: beyond it a call ends with RESOURCE_EXHAUSTED. */
  readonly waitingBytesMax: number;
  /** The same of all connections of a server together; beyond it each may hold `fairBytes`. */
  readonly allUnfinishedBytesMax: number;
  readonly allWaitingBytesHigh: number;
  readonly fairBytes: number;
  /** Streams that the peer ended before we did, or that broke a rule: how many at once, and each second. */
  readonly resetsBurst: number;
  readonly resetsPerSecond: number;
  /** Frames that ask for an answer and carry nothing (SETTINGS, PING). */
  readonly controlsBurst: number;
  readonly controlsPerSecond: number;
  /** Frames that do nothing: empty DATA, PRIORITY, unknown types, small window updates. */
  readonly idleFramesBurst: number;
  readonly idleFramesPerSecond: number;
  /** From the preface to the first SETTINGS, and from HEADERS to the end of its block. */
  readonly handshakeMs: number;
  /** Output that the peer does not take for so long ends the connection. */
  readonly stallMs: number;
}

const kibibyte = 1_024;
const mebibyte = 1_024 * kibibyte;

export const defaultLimits: Http2Limits = {
  concurrentStreamsMax: 10_000,
  httpRequestsMax: 100,
  headerListBytesMax: 64 * kibibyte,
  headerBlockBytesMax: 64 * kibibyte,
  continuationsMax: 16,
  connectionWindow: 4 * mebibyte,
  streamWindow: 64 * kibibyte - 1,
  unfinishedBytesMax: 24 * mebibyte,
  largeMessageBytesMax: 8 * mebibyte,
  waitingBytesHigh: 16 * mebibyte,
  waitingBytesMax: 256 * mebibyte,
  allUnfinishedBytesMax: 256 * mebibyte,
  allWaitingBytesHigh: 512 * mebibyte,
  fairBytes: mebibyte,
  resetsBurst: 1_000,
  resetsPerSecond: 100,
  controlsBurst: 500,
  controlsPerSecond: 50,
  idleFramesBurst: 20_000,
  idleFramesPerSecond: 5_000,
  handshakeMs: 10_000,
  stallMs: 120_000,
};
