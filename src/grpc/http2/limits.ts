/**
 * Limits of what a peer may cost. They keep one connection from harming the others. Beyond a limit
 * a stream or the connection ends, never the process.
 */
export interface Http2Limits {
  /** Open streams at a time. The server refuses more; clients may try them again. */
  readonly concurrentStreamsMax: number;
  /** Requests at a time that are not gRPC. The server refuses more; clients may try them again. */
  readonly httpRequestsMax: number;
  /**
   * Octets of one request's header fields, counted as in RFC 9113, section 6.5.2. The server
   * answers larger ones with 431.
   */
  readonly headerListBytesMax: number;
  /** Octets of a compressed header block, over all its frames. */
  readonly headerBlockBytesMax: number;
  /** CONTINUATION frames of one header block. */
  readonly continuationsMax: number;
  /**
   * Octets of DATA that the peer may have under way on the whole connection: the receive window.
   */
  readonly connectionWindow: number;
  /** Octets that the peer may send on a stream before the server knows that the message fits. */
  readonly streamWindow: number;
  /**
   * Octets of unfinished messages on one connection, not counting messages that have leave to be
   * large.
   */
  readonly unfinishedBytesMax: number;
  /** Octets that messages larger than `streamWindow` may hold at a time. Further ones wait. */
  readonly largeMessageBytesMax: number;
  /** Octets of answers that the peer has not read. Beyond it new requests wait, too. */
  readonly waitingBytesHigh: number;
  /**
   * Octets of answers that the peer has not read. Beyond it a call ends with RESOURCE_EXHAUSTED.
   */
  readonly waitingBytesMax: number;
  /**
   * The same for all connections of a server together. Beyond it each connection may hold
   * `fairBytes`.
   */
  readonly allUnfinishedBytesMax: number;
  readonly allWaitingBytesHigh: number;
  readonly fairBytes: number;
  /**
   * Streams that the peer ended early or that broke a rule: how many at once, and how many each
   * second.
   */
  readonly resetsBurst: number;
  readonly resetsPerSecond: number;
  /** Frames that ask for an answer and carry nothing (SETTINGS, PING). */
  readonly controlsBurst: number;
  readonly controlsPerSecond: number;
  /** Frames that do nothing: empty DATA, PRIORITY, unknown types, small window updates. */
  readonly idleFramesBurst: number;
  readonly idleFramesPerSecond: number;
  /**
   * Milliseconds from the preface to the first SETTINGS, and from HEADERS to the end of the block.
   */
  readonly handshakeMs: number;
  /** Milliseconds after which the connection ends if the peer takes no output. */
  readonly stallMs: number;
}

const kibibyte = 1_024;
const mebibyte = 1_024 * kibibyte;

/** The limits of a server without other settings. docs/transport.md gives the reasons. */
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
