/**
 * The server side of one HTTP/2 connection (RFC 9113), without I/O and without a clock. The
 * transport passes bytes and the time to `receive`, and gets bytes from `pull`. Requests come out
 * as events. Http2Limits bounds what a peer may cost.
 *
 * A peer that breaks a rule ends its stream or, where the RFC says so, the connection. Then
 * `isOver` becomes true, the remaining output ends with GOAWAY, and the owner of the transport
 * closes it.
 */
import { ConnectionError } from "./connection-error.js";
import { defaultMaxFrame, ErrorCode, FrameType, preface } from "./constants.js";
import { ControlFrames } from "./control-frames.js";
import { broken } from "./frame-errors.js";
import { FrameReader, type FrameSink } from "./frame-reader.js";
import type { Http2Limits } from "./limits.js";
import { type KeepaliveOptions, PingPolicy } from "./ping-policy.js";
import { type OnRequest, RequestFrames } from "./request-frames.js";
import { SessionCore } from "./session-core.js";

export interface SessionEvents {
  /** A request has begun; the handler hears the rest of it, possibly before this turn ends. */
  readonly onRequest: OnRequest;
  /** Called when there is output to pull: once until the next `pull`. */
  readonly onOutput: () => void;
}

export interface SessionOptions {
  readonly limits: Http2Limits;
  readonly keepalive: KeepaliveOptions;
  /** Milliseconds of a monotonic clock, like every `nowMs` here. */
  readonly nowMs: number;
}

const alivePing = Buffer.from("keepaliv");

export class Http2Session implements FrameSink {
  readonly #core: SessionCore;
  readonly #control: ControlFrames;
  readonly #requests: RequestFrames;
  readonly #reader: FrameReader;
  readonly #pings: PingPolicy;
  readonly #beganMs: number;
  #prefaceBytes = 0;

  constructor(events: SessionEvents, { limits, keepalive, nowMs }: SessionOptions) {
    this.#beganMs = nowMs;
    this.#core = new SessionCore(limits, nowMs, events.onOutput);
    this.#pings = new PingPolicy(keepalive, nowMs);
    this.#control = new ControlFrames(this.#core, this.#pings);
    this.#requests = new RequestFrames(this.#core, events.onRequest);
    this.#reader = new FrameReader(this, defaultMaxFrame);
    this.#control.sendSettings();
  }

  /** The session reads nothing more. The transport closes once all output is pulled. */
  get isOver(): boolean {
    return this.#core.isOver;
  }

  /** Streams that are open. */
  get streamCount(): number {
    return this.#core.streams.count;
  }

  /** Octets of answers that the peer has not taken. */
  get waitingBytes(): number {
    return this.#core.sender.waitingBytes;
  }

  /** Reads what the peer sent. Parts of `chunk` go to handlers; it must not change any more. */
  receive(chunk: Buffer, nowMs: number): void {
    const core = this.#core;
    if (core.isOver) return;
    core.nowMs = nowMs;
    this.#pings.onReceived(nowMs);
    try {
      const at = this.#readPreface(chunk);
      if (at < chunk.length) this.#reader.receive(chunk, at);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#fail(error.code, error.message);
    }
  }

  /** Bytes for the peer, about `bytesMax` of them; undefined: there are none now. */
  pull(bytesMax: number): Uint8Array[] | undefined {
    const core = this.#core;
    core.isOutputTold = true;
    core.sender.fill(bytesMax);
    core.isOutputTold = false;
    return core.sender.out.take();
  }

  /** Checks the limits of time. The owner calls it regularly. */
  sweep(nowMs: number): void {
    const core = this.#core;
    if (core.isOver) return;
    core.nowMs = nowMs;
    const sinceMs = this.#control.hasSettings ? this.#requests.blockSinceMs : this.#beganMs;
    if (sinceMs >= 0 && nowMs - sinceMs >= core.limits.handshakeMs) {
      this.#fail(ErrorCode.settingsTimeout, "what was begun was not finished in time");
      return;
    }
    const state = this.#pings.check(nowMs);
    if (state === "ask") core.sender.frame(FrameType.ping, 0, 0, alivePing);
    else if (state === "gone") this.#fail(ErrorCode.noError, "keepalive ping was not answered");
  }

  /**
   * Refuses new streams. The session is over when the running ones have ended (section 6.8). It
   * still serves requests that clients sent before they heard of it.
   */
  drain(): void {
    if (!this.#core.isOver && this.#core.draining === "no") this.#control.drain();
  }

  /** The transport is gone or is about to close: ends every stream. */
  close(): void {
    if (!this.#core.isOver) this.#fail(ErrorCode.noError, "");
  }

  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean {
    const open = this.#requests.openBlock;
    if (open !== 0 && (type !== FrameType.continuation || streamId !== open)) {
      throw broken("a frame amid a header block");
    }
    if (!this.#control.hasSettings && type !== FrameType.settings) {
      throw broken("SETTINGS must come first");
    }
    switch (type) {
      case FrameType.data:
        this.#requests.onData(streamId, flags, bytes, start, end);
        break;
      case FrameType.headers:
        this.#requests.onHeaders(streamId, flags, bytes, start, end);
        break;
      case FrameType.continuation:
        this.#requests.onContinuation(flags, bytes, start, end);
        break;
      case FrameType.windowUpdate:
        this.#control.onWindowUpdate(streamId, bytes, start, end);
        break;
      case FrameType.rstStream:
        this.#requests.onRstStream(streamId, end - start);
        break;
      case FrameType.settings:
        this.#control.onSettings(streamId, flags, bytes, start, end);
        break;
      case FrameType.ping:
        this.#control.onPing(streamId, flags, bytes, start, end);
        break;
      case FrameType.priority:
        this.#control.onPriority(streamId, bytes, start, end);
        break;
      case FrameType.goaway:
        this.#control.onGoaway(streamId, end - start);
        break;
      case FrameType.pushPromise:
        throw broken("PUSH_PROMISE from a client");
      default:
        // Extensions are ignored (section 5.5).
        this.#core.spendIdle();
    }
    return !this.#core.isOver;
  }

  /** Returns the offset where the frames begin. */
  #readPreface(chunk: Buffer): number {
    const wanted = preface.length - this.#prefaceBytes;
    if (wanted === 0) return 0;
    const bytes = Math.min(wanted, chunk.length);
    for (let at = 0; at < bytes; at++) {
      if (chunk[at] !== preface[this.#prefaceBytes + at]) throw broken("no connection preface");
    }
    this.#prefaceBytes += bytes;
    return bytes;
  }

  #fail(code: number, text: string): void {
    const core = this.#core;
    core.isOver = true;
    for (const stream of [...core.streams.all()]) {
      const { handler } = stream;
      core.remove(stream);
      handler.handleReset();
    }
    core.sender.goaway(core.streams.lastId, code, text);
  }
}
