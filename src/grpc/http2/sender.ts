/**
 * The sending half of a session: outgoing frames, and the windows that the peer gives (RFC 9113,
 * section 5.2). It writes at once what the windows allow. The rest waits in line; streams take
 * turns, one frame each.
 */
import { defaultMaxFrame, defaultWindow, Flag, FrameType, frameHeaderBytes } from "./constants.js";
import { type HeaderFields, HpackEncoder } from "./hpack/encoder.js";
import { Output } from "./output.js";
import type { PeerSettings } from "./settings.js";
import type { Http2Stream } from "./stream.js";

const prefixBytes = 5;
/** A stream with so much in line takes no more, until it is down to the second figure. */
const streamBytesHigh = 65_536;
const streamBytesLow = 16_384;
/** With so much in line for all streams together, each takes one message at a time. */
const allBytesHigh = 16_777_216;
/** Beyond it answers stand in line even if the windows allow them. */
const directBytesMax = 262_144;
const creditMax = 100_000;

export interface SenderEvents {
  /** Called when there is output to pull. */
  onOutput(): void;
  /** END_STREAM was written. */
  onLocalEnd(stream: Http2Stream): void;
}

export class Sender {
  readonly out = new Output();
  readonly encoder = new HpackEncoder();
  connectionWindow = defaultWindow;
  /** Each HEADERS and DATA frame sets it. The reader of the flag clears it. */
  hasSent = false;
  /** What we sent lets the peer answer with so many window updates and the like. */
  credit = 0;
  #inLineBytes = 0;
  #line: Http2Stream[] = [];
  #lineAt = 0;
  readonly #settings: PeerSettings;
  readonly #events: SenderEvents;

  constructor(settings: PeerSettings, events: SenderEvents) {
    this.#settings = settings;
    this.#events = events;
  }

  /** Octets of output that the peer has not taken. */
  get waitingBytes(): number {
    return this.out.bytes + this.#inLineBytes;
  }

  head(stream: Http2Stream, fields: HeaderFields): void {
    stream.isHeadSent = true;
    this.#headers(stream.id, fields, 0);
    this.#events.onOutput();
  }

  answer(
    stream: Http2Stream,
    head: HeaderFields,
    message: Uint8Array,
    trailers: HeaderFields,
  ): void {
    this.head(stream, head);
    this.data(stream, message, true);
    this.end(stream, trailers);
  }

  /** False: the stream is full. */
  data(stream: Http2Stream, payload: Uint8Array, isMessage: boolean): boolean {
    this.#events.onOutput();
    const prefix = isMessage ? prefixBytes : 0;
    const bytes = payload.length + prefix;
    if (bytes === 0) return true;
    if (this.#mayGoAtOnce(stream, bytes)) {
      this.out.frame(FrameType.data, 0, stream.id, bytes);
      if (isMessage) this.#prefix(payload.length);
      this.out.copy(payload, 0, payload.length);
      stream.sendWindow -= bytes;
      this.connectionWindow -= bytes;
      this.#noteSent(4);
      return true;
    }
    if (isMessage) {
      const head = Buffer.allocUnsafe(prefixBytes);
      head[0] = 0;
      head.writeUInt32BE(payload.length, 1);
      this.#queue(stream, head);
    }
    if (payload.length > 0) this.#queue(stream, payload);
    this.putInLine(stream);
    stream.isFull = stream.queuedBytes >= streamBytesHigh || this.#inLineBytes >= allBytesHigh;
    return !stream.isFull;
  }

  end(stream: Http2Stream, trailers: HeaderFields | null): void {
    this.#events.onOutput();
    stream.trailers = trailers;
    if (stream.queuedBytes > 0) this.putInLine(stream);
    else this.#finish(stream);
  }

  /** Forgets what is queued. */
  discard(stream: Http2Stream): void {
    this.#inLineBytes -= stream.queuedBytes;
    stream.queuedBytes = 0;
    stream.pieces = [];
    stream.firstPiece = 0;
    stream.firstPieceAt = 0;
  }

  /** After its window has grown, too. */
  putInLine(stream: Http2Stream): void {
    if (stream.isInLine || stream.queuedBytes === 0 || stream.sendWindow <= 0) return;
    stream.isInLine = true;
    this.#line.push(stream);
  }

  reset(streamId: number, code: number): void {
    this.control(FrameType.rstStream, 0, streamId, code);
  }

  /** A frame whose payload is one number of 32 bits. */
  control(type: number, flags: number, streamId: number, value: number): void {
    this.out.frame(type, flags, streamId, 4);
    this.out.uint32(value);
    this.#events.onOutput();
  }

  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    this.out.frame(type, flags, streamId, payload.length);
    this.out.copy(payload, 0, payload.length);
    this.#events.onOutput();
  }

  goaway(lastStreamId: number, code: number, text: string): void {
    const payload = Buffer.alloc(8 + text.length);
    payload.writeUInt32BE(lastStreamId);
    payload.writeUInt32BE(code, 4);
    payload.write(text, 8, "latin1");
    this.frame(FrameType.goaway, 0, 0, payload);
  }

  /** Writes frames that wait, until `bytesMax` octets are ready or the windows are used up. */
  fill(bytesMax: number): void {
    const { out } = this;
    while (this.#lineAt < this.#line.length && out.bytes < bytesMax && this.connectionWindow > 0) {
      const stream = this.#line[this.#lineAt++] as Http2Stream;
      if (this.#lineAt > 64 && this.#lineAt * 2 > this.#line.length) {
        this.#line = this.#line.slice(this.#lineAt);
        this.#lineAt = 0;
      }
      stream.isInLine = false;
      if (stream.isClosed || stream.sendWindow <= 0 || stream.queuedBytes === 0) continue;
      this.#writeFrame(stream);
      if (stream.queuedBytes > 0) this.putInLine(stream);
      else if (stream.trailers !== undefined) this.#finish(stream);
      if (stream.isFull && stream.queuedBytes <= streamBytesLow) {
        stream.isFull = false;
        if (!stream.isClosed) stream.handler.handleDrain();
      }
    }
    if (this.#lineAt === this.#line.length && this.#lineAt > 0) {
      this.#line = [];
      this.#lineAt = 0;
    }
  }

  #mayGoAtOnce(stream: Http2Stream, bytes: number): boolean {
    return (
      stream.queuedBytes === 0 &&
      bytes <= stream.sendWindow &&
      bytes <= this.connectionWindow &&
      bytes <= defaultMaxFrame &&
      this.out.bytes < directBytesMax
    );
  }

  #prefix(length: number): void {
    const { out } = this;
    out.buffer[out.at++] = 0;
    out.uint32(length);
  }

  #queue(stream: Http2Stream, piece: Uint8Array): void {
    if (stream.queuedBytes === 0) stream.pieces = [];
    stream.pieces.push(piece);
    stream.queuedBytes += piece.length;
    this.#inLineBytes += piece.length;
  }

  /** Writes one DATA frame with as much as the windows allow. */
  #writeFrame(stream: Http2Stream): void {
    const length = Math.min(
      stream.queuedBytes,
      stream.sendWindow,
      this.connectionWindow,
      this.#settings.maxFrame,
      4 * defaultMaxFrame,
    );
    const isLast = length === stream.queuedBytes && stream.trailers === null;
    const { out } = this;
    out.ensure(frameHeaderBytes);
    out.frameHeader(FrameType.data, isLast ? Flag.endStream : 0, stream.id, length);
    let left = length;
    while (left > 0) {
      const piece = stream.pieces[stream.firstPiece] as Uint8Array;
      const part = Math.min(left, piece.length - stream.firstPieceAt);
      out.payload(piece, stream.firstPieceAt, stream.firstPieceAt + part);
      left -= part;
      stream.firstPieceAt += part;
      if (stream.firstPieceAt === piece.length) {
        stream.firstPieceAt = 0;
        stream.firstPiece++;
      }
    }
    if (stream.firstPiece > 32 && stream.firstPiece * 2 > stream.pieces.length) {
      stream.pieces = stream.pieces.slice(stream.firstPiece);
      stream.firstPiece = 0;
    }
    stream.queuedBytes -= length;
    this.#inLineBytes -= length;
    stream.sendWindow -= length;
    this.connectionWindow -= length;
    this.#noteSent(4);
    if (stream.queuedBytes === 0) this.discard(stream);
    if (isLast) stream.isLocalClosed = true;
  }

  /** Everything but the end is written. */
  #finish(stream: Http2Stream): void {
    if (!stream.isLocalClosed) {
      stream.isLocalClosed = true;
      const { trailers } = stream;
      if (trailers) this.#headers(stream.id, trailers, Flag.endStream);
      else this.out.frame(FrameType.data, Flag.endStream, stream.id, 0);
    }
    this.#events.onLocalEnd(stream);
  }

  #headers(streamId: number, fields: HeaderFields, flags: number): void {
    this.#noteSent(2);
    const { out } = this;
    if (fields.bytesMax > defaultMaxFrame) {
      this.#manyHeaders(streamId, fields, flags);
      return;
    }
    out.ensure(frameHeaderBytes + fields.bytesMax);
    const start = out.at;
    out.at += frameHeaderBytes;
    this.encoder.encode(out, fields);
    const end = out.at;
    out.at = start;
    const length = end - start - frameHeaderBytes;
    out.frameHeader(FrameType.headers, flags | Flag.endHeaders, streamId, length);
    out.at = end;
  }

  #noteSent(credit: number): void {
    this.hasSent = true;
    this.credit = Math.min(creditMax, this.credit + credit);
  }

  /** A block that may need more than one frame. */
  #manyHeaders(streamId: number, fields: HeaderFields, flags: number): void {
    const whole = new Output();
    whole.ensure(fields.bytesMax);
    this.encoder.encode(whole, fields);
    const block = Buffer.concat(whole.take() ?? []);
    for (let at = 0; at < block.length; at += defaultMaxFrame) {
      const part = block.subarray(at, at + defaultMaxFrame);
      const end = at + part.length === block.length ? Flag.endHeaders : 0;
      const type = at === 0 ? FrameType.headers : FrameType.continuation;
      this.out.frame(type, (at === 0 ? flags : 0) | end, streamId, part.length);
      this.out.copy(part, 0, part.length);
    }
  }
}
