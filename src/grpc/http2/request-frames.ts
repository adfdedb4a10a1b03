/**
 * Handles the frames of requests: HEADERS with CONTINUATION, DATA, RST_STREAM, and the states of
 * streams (RFC 9113, section 5.1). Sections in comments are of RFC 9113.
 */
import { ConnectionError } from "./connection-error.js";
import { ErrorCode, Flag, FrameType, windowMax } from "./constants.js";
import { broken, paddingOf, wrongSize } from "./frame-errors.js";
import { HeaderBlocks } from "./header-blocks.js";
import { HeaderFields } from "./hpack/encoder.js";
import { type RequestHead, trailersFault } from "./request-head.js";
import type { SessionCore } from "./session-core.js";
import { Http2Stream, type StreamHandler } from "./stream.js";

/** Called when a request has begun. Returns the handler of the rest. */
export type OnRequest = (stream: Http2Stream, head: RequestHead) => StreamHandler;

const headTooLarge = new HeaderFields([":status", "431"]);

export class RequestFrames {
  /** When the incomplete header block began; -1: there is none. */
  blockSinceMs = -1;
  readonly #core: SessionCore;
  readonly #onRequest: OnRequest;
  readonly #blocks: HeaderBlocks;
  #receiveWindow: number;

  constructor(core: SessionCore, onRequest: OnRequest) {
    this.#core = core;
    this.#onRequest = onRequest;
    this.#blocks = new HeaderBlocks(core.limits);
    this.#receiveWindow = core.limits.connectionWindow;
  }

  /** The stream of the incomplete header block; 0: there is none. */
  get openBlock(): number {
    return this.#blocks.streamId;
  }

  /** Section 6.1. */
  onData(id: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw broken("DATA on the connection");
    const length = end - start;
    const padding = (flags & Flag.padded) === 0 ? -1 : paddingOf(bytes, start, end);
    this.#takeFromConnection(length);
    const stream = this.#core.streams.get(id);
    if (stream === undefined) {
      this.#onDataOfNone(id);
      return;
    }
    if (stream.isRemoteClosed) {
      this.#core.breakStream(id, stream, ErrorCode.streamClosed);
      return;
    }
    if (length > stream.receiveWindow) {
      this.#core.breakStream(id, stream, ErrorCode.flowControlError);
      return;
    }
    stream.receiveWindow -= length;
    const from = padding < 0 ? start : start + 1;
    const to = padding < 0 ? end : end - padding;
    const isEnd = (flags & Flag.endStream) !== 0;
    if (to === from && !isEnd) this.#core.spendIdle();
    if (stream.bodyLeft >= 0) {
      stream.bodyLeft -= to - from;
      if (stream.bodyLeft < 0 || (isEnd && stream.bodyLeft > 0)) {
        this.#core.breakStream(id, stream, ErrorCode.protocolError);
        return;
      }
    }
    if (to > from) stream.handler.handleData(bytes, from, to);
    if (isEnd) this.#onRemoteEnd(stream);
  }

  #onDataOfNone(id: number): void {
    if (this.#core.streams.isIdle(id)) throw broken("DATA on an idle stream");
    // The frame was under way when the server reset the stream (section 5.1).
    if (this.#core.streams.wasReset(id)) this.#core.spendIdle();
    else this.#core.breakStream(id, undefined, ErrorCode.streamClosed);
  }

  /** Section 6.2. */
  onHeaders(id: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if ((id & 1) === 0) throw broken("HEADERS on a stream that is no client's");
    let from = start;
    let to = end;
    if ((flags & Flag.padded) !== 0) {
      to = end - paddingOf(bytes, start, end);
      from++;
    }
    let dependsOnItself = false;
    if ((flags & Flag.priority) !== 0) {
      if (to - from < 5) throw wrongSize("HEADERS with priority");
      dependsOnItself = (bytes.readUInt32BE(from) & windowMax) === id;
      from += 5;
    }
    // The bit of self-dependency travels with the block in a flag that HEADERS does not use.
    const kept = (flags & (Flag.endStream | Flag.endHeaders)) | (dependsOnItself ? 0x80 : 0);
    if ((flags & Flag.endHeaders) !== 0) {
      this.#onBlock(id, kept, bytes, from, to);
      return;
    }
    this.#blocks.begin(id, kept, bytes, from, to);
    this.blockSinceMs = this.#core.nowMs;
  }

  /** Section 6.10. */
  onContinuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const { streamId, flags: first } = this.#blocks;
    if (streamId === 0) throw broken("CONTINUATION without HEADERS");
    this.#blocks.append(bytes, start, end);
    if ((flags & Flag.endHeaders) === 0) return;
    this.blockSinceMs = -1;
    const block = this.#blocks.take();
    this.#onBlock(streamId, first, block, 0, block.length);
  }

  #onBlock(id: number, flags: number, bytes: Buffer, start: number, end: number): void {
    const stream = this.#core.streams.get(id);
    if (stream !== undefined) {
      this.#onTrailers(stream, flags, bytes, start, end);
      return;
    }
    if (!this.#core.streams.isIdle(id)) {
      // The session must decode the block anyway, because it may change the table.
      this.#blocks.readFields(bytes, start, end);
      if (this.#core.streams.wasReset(id)) return;
      if (this.#core.streams.wasSkipped(id)) throw broken("stream ids must rise");
      throw new ConnectionError(ErrorCode.streamClosed, "HEADERS on a closed stream");
    }
    this.#core.streams.noteOpened(id);
    const head = this.#blocks.readRequest(bytes, start, end);
    if (this.#core.draining === "last") return;
    if (this.#core.streams.count >= this.#core.limits.concurrentStreamsMax) {
      this.#core.breakStream(id, undefined, ErrorCode.refusedStream);
    } else if (typeof head === "string" || (flags & 0x80) !== 0) {
      this.#core.breakStream(id, undefined, ErrorCode.protocolError);
    } else {
      this.#openStream(id, head, (flags & Flag.endStream) !== 0);
    }
  }

  /** There is no head: it was too large. */
  #openStream(id: number, head: RequestHead | undefined, isEnd: boolean): void {
    const windows = [this.#core.limits.streamWindow, this.#core.settings.streamWindow] as const;
    const stream = new Http2Stream(id, this.#core, ...windows);
    this.#core.streams.add(stream);
    if (head === undefined) {
      this.#core.guard.reset(this.#core.nowMs);
      stream.sendHead(headTooLarge);
      stream.end(null);
      if (!stream.isClosed) stream.reset(ErrorCode.noError);
      return;
    }
    stream.bodyLeft = head.contentLength;
    if (isEnd && head.contentLength > 0) {
      this.#core.breakStream(id, stream, ErrorCode.protocolError);
      return;
    }
    stream.isRemoteClosed = isEnd;
    const handler = this.#onRequest(stream, head);
    if (stream.isClosed) return;
    stream.handler = handler;
    if (isEnd) this.#onRemoteEnd(stream);
  }

  /** Section 8.1. */
  #onTrailers(stream: Http2Stream, flags: number, bytes: Buffer, start: number, end: number): void {
    const list = this.#blocks.readFields(bytes, start, end);
    if (stream.isRemoteClosed) {
      this.#core.breakStream(stream.id, stream, ErrorCode.streamClosed);
      return;
    }
    const isEnd = (flags & Flag.endStream) !== 0;
    const isSound = isEnd && (flags & 0x80) === 0 && stream.bodyLeft <= 0;
    if (!isSound || list.isTooLarge || trailersFault(list) !== undefined) {
      this.#core.breakStream(stream.id, stream, ErrorCode.protocolError);
      return;
    }
    this.#onRemoteEnd(stream);
  }

  #onRemoteEnd(stream: Http2Stream): void {
    if (stream.isClosed) return;
    stream.isRemoteClosed = true;
    stream.handler.handleEnd();
    if (stream.isLocalClosed && !stream.isClosed) this.#core.remove(stream);
  }

  /**
   * Section 6.4. For streams that the server has ended it costs nothing: some clients always send
   * it.
   */
  onRstStream(id: number, length: number): void {
    if (id === 0) throw broken("RST_STREAM on the connection");
    if (length !== 4) throw wrongSize("RST_STREAM");
    if (this.#core.streams.isIdle(id)) throw broken("RST_STREAM on an idle stream");
    const stream = this.#core.streams.get(id);
    if (stream === undefined) {
      this.#core.spendIdle();
      return;
    }
    const { handler } = stream;
    const wasRunning = !stream.isLocalClosed;
    this.#core.remove(stream);
    handler.handleReset();
    if (wasRunning) this.#core.guard.reset(this.#core.nowMs);
  }

  /** The server takes the octets at once. Other limits bound incomplete messages. */
  #takeFromConnection(length: number): void {
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) {
      throw new ConnectionError(ErrorCode.flowControlError, "more than the window allows");
    }
    const { connectionWindow } = this.#core.limits;
    if (this.#receiveWindow * 2 > connectionWindow) return;
    const more = connectionWindow - this.#receiveWindow;
    this.#receiveWindow = connectionWindow;
    this.#core.sender.control(FrameType.windowUpdate, 0, 0, more);
  }
}
