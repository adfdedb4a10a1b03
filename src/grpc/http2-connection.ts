/**
 * Runs an HTTP/2 session on a socket of node:net or node:tls. It reads input at once. It writes
 * output once in a turn, and no faster than the peer takes it.
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../platform/clock.js";
import type { Status } from "./call.js";
import { CallQueue } from "./calls/call-queue.js";
import type { Deadlines } from "./calls/deadlines.js";
import { MessageBudget } from "./calls/message-budget.js";
import type { RequestPlan, Routes } from "./calls/request-plan.js";
import type { CallPlan, CallSurroundings, OpenCall } from "./calls/server-call.js";
import type { SharedBudget } from "./calls/shared-budget.js";
import { StreamServerCall } from "./calls/stream-call.js";
import { UnaryServerCall } from "./calls/unary-call.js";
import { clientCertificateOf } from "./client-certificate.js";
import { HttpBridge } from "./http-bridge.js";
import type { HeaderFields } from "./http2/hpack/encoder.js";
import type { Http2Limits } from "./http2/limits.js";
import type { KeepaliveOptions } from "./http2/ping-policy.js";
import type { RequestHead } from "./http2/request-head.js";
import { Http2Session } from "./http2/session.js";
import { type Http2Stream, ignoring, type StreamHandler } from "./http2/stream.js";
import type { Flushable, TurnEnd } from "./turn-end.js";

/** What the connections of a server share. */
export interface ConnectionParts {
  readonly clock: Clock;
  readonly turnEnd: TurnEnd;
  readonly deadlines: Deadlines;
  readonly routes: Routes;
  readonly limits: Http2Limits;
  readonly keepalive: KeepaliveOptions;
  readonly maxReceiveBytes: number;
  readonly open: Set<OpenCall>;
  readonly shared: SharedBudget;
  readonly onError: (error: unknown) => Status;
  /** Takes connections of HTTP/1. */
  readonly http1: (connection: Duplex) => void;
}

/** The socket takes more while it holds less than this. */
const socketBytesHigh = 262_144;
/**
 * Octets that one connection writes before others have their turn. Writing more would take the
 * socket milliseconds.
 */
const turnBytesMax = 262_144;
const pullBytes = 65_536;
/** Milliseconds that an ended connection may take to read the reason. */
const lingerMs = 1_000;

export class Http2Connection implements Flushable {
  readonly #socket: Socket;
  readonly #parts: ConnectionParts;
  readonly #session: Http2Session;
  readonly #surroundings: CallSurroundings;
  readonly #queue: CallQueue;
  readonly #bridge: HttpBridge;
  #isFlushAsked = false;
  /** True while more calls have come than start in a turn. */
  #isHeld = false;
  /** When the socket last took something while it was full; -1: it is not full. */
  #fullSinceMs = -1;
  #endedMs = -1;
  /** What the shared budget knows of the answers that wait here. */
  #countedBytes = 0;

  constructor(socket: Socket, parts: ConnectionParts) {
    this.#socket = socket;
    this.#parts = parts;
    const { limits, keepalive, clock } = parts;
    this.#queue = new CallQueue({
      now: clock.now,
      waitingBytes: () => this.#session.waitingBytes,
      waitingBytesHigh: () =>
        parts.shared.hasTooMuchWaiting ? limits.fairBytes : limits.waitingBytesHigh,
    });
    const http1 = (connection: Duplex): void => {
      // As on sockets of node:tls: handlers ask for it.
      if ("encrypted" in socket) Object.assign(connection, { encrypted: true });
      parts.http1(connection);
    };
    this.#bridge = new HttpBridge(limits, http1, (run) => this.#guard(run));
    this.#surroundings = this.#surroundingsOf();
    const events = {
      onRequest: (stream: Http2Stream, head: RequestHead) => this.#onRequest(stream, head),
      onOutput: () => this.#askFlush(),
    };
    this.#session = new Http2Session(events, { limits, keepalive, nowMs: clock.now() });
    socket.on("data", (chunk: Buffer) => this.#guard(() => this.#receive(chunk)));
    socket.on("drain", () => this.#guard(() => this.#onDrain()));
    socket.on("end", () => this.#guard(() => this.#onGone()));
    socket.on("close", () => this.#guard(() => this.#onGone()));
  }

  #onRequest(stream: Http2Stream, head: RequestHead): StreamHandler {
    head.note ??= this.#parts.routes.planFor(head);
    const plan = head.note as RequestPlan;
    if (plan.kind === "call") return this.#startCall(stream, head, plan);
    if (plan.kind === "refuse") return refuse(stream, plan.answer);
    return this.#bridge.handle(stream, head);
  }

  /** Writes the output, as far as the socket takes it. */
  flush(): void {
    this.#guard(() => this.#flush());
  }

  /** Checks the limits of time. The server calls it regularly. */
  sweep(nowMs: number): void {
    this.#guard(() => this.#sweep(nowMs));
  }

  /** Lets running calls end, then closes. */
  drain(): void {
    this.#session.drain();
  }

  /** An error of this server, not of the peer. It costs only this connection. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#parts.onError(error);
      this.#socket.destroy();
    }
  }

  #flush(): void {
    this.#isFlushAsked = false;
    const socket = this.#socket;
    if (socket.destroyed || this.#endedMs >= 0) return;
    let written = 0;
    while (socket.writableLength < socketBytesHigh) {
      if (written >= turnBytesMax) {
        this.#countWaiting();
        this.#askFlushLater();
        return;
      }
      const pieces = this.#session.pull(pullBytes);
      if (pieces === undefined) break;
      written += this.#write(pieces);
    }
    this.#countWaiting();
    this.#startCalls();
    if (socket.writableLength >= socketBytesHigh) {
      if (this.#fullSinceMs < 0) this.#fullSinceMs = this.#parts.clock.now();
    } else if (this.#session.isOver) {
      this.#end();
    }
  }

  #sweep(nowMs: number): void {
    this.#session.sweep(nowMs);
    this.#queue.forgetRunning();
    this.#startCalls();
    const isStalled =
      this.#fullSinceMs >= 0 && nowMs - this.#fullSinceMs >= this.#parts.limits.stallMs;
    const hasLingered = this.#endedMs >= 0 && nowMs - this.#endedMs >= lingerMs;
    if (isStalled || hasLingered) this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#session.receive(chunk, this.#parts.clock.now());
    this.#startCalls();
  }

  #write(pieces: readonly Uint8Array[]): number {
    const socket = this.#socket;
    let bytes = 0;
    if (pieces.length > 1) socket.cork();
    for (const piece of pieces) {
      bytes += piece.length;
      socket.write(piece);
    }
    if (pieces.length > 1) socket.uncork();
    return bytes;
  }

  /**
   * Goes on in the next turn: a socket that takes everything at once tells of it before any other
   * event, and would hold the event loop until all is written.
   */
  #onDrain(): void {
    this.#fullSinceMs = -1;
    this.#askFlushLater();
  }

  /** A client that closes its side will read no answer either. */
  #onGone(): void {
    this.#queue.clear();
    this.#session.close();
    this.#countWaiting();
    if (!this.#socket.destroyed) this.#end();
  }

  /** Writes the remaining output and closes. Drops further input. */
  #end(): void {
    if (this.#endedMs >= 0) return;
    const rest = this.#session.pull(Number.POSITIVE_INFINITY);
    if (rest !== undefined) this.#write(rest);
    this.#endedMs = this.#parts.clock.now();
    this.#socket.end();
    if (this.#socket.readableEnded) this.#socket.destroySoon();
  }

  #countWaiting(): void {
    const { destroyed, writableLength } = this.#socket;
    const bytes = destroyed ? 0 : this.#session.waitingBytes + writableLength;
    this.#parts.shared.addWaiting(bytes - this.#countedBytes);
    this.#countedBytes = bytes;
  }

  #askFlush(): void {
    if (this.#isFlushAsked) return;
    this.#isFlushAsked = true;
    this.#parts.turnEnd.ask(this);
  }

  #askFlushLater(): void {
    if (this.#isFlushAsked) return;
    this.#isFlushAsked = true;
    this.#parts.turnEnd.askLater(this);
  }

  #startCall(stream: Http2Stream, head: RequestHead, plan: CallPlan): StreamHandler {
    if (plan.route.method.kind === "unary") {
      return new UnaryServerCall(stream, head, plan, this.#surroundings);
    }
    const call = new StreamServerCall(stream, head, plan, this.#surroundings);
    call.start();
    return call;
  }

  /** Reads nothing more until the calls that have come have started. */
  #startCalls(): void {
    const isAll = this.#queue.run();
    if (!isAll) this.#askFlushLater();
    if (isAll !== this.#isHeld) return;
    this.#isHeld = !isAll;
    if (isAll) this.#socket.resume();
    else this.#socket.pause();
  }

  #surroundingsOf(): CallSurroundings {
    const { limits, maxReceiveBytes, deadlines, onError, open, clock, shared } = this.#parts;
    const budget = new MessageBudget(limits, shared);
    return {
      certificate: clientCertificateOf(this.#socket),
      rules: { bytesMax: maxReceiveBytes, streamWindow: limits.streamWindow, budget },
      deadlines,
      now: clock.now,
      onError,
      guard: (run) => this.#guard(run),
      open,
      queue: this.#queue,
      mayWait: (bytes) => {
        const { waitingBytes } = this.#session;
        return waitingBytes === 0 || waitingBytes + bytes <= limits.waitingBytesMax;
      },
    };
  }
}

function refuse(stream: Http2Stream, answer: HeaderFields): StreamHandler {
  stream.resetsAtEnd = true;
  stream.end(answer);
  return ignoring;
}
