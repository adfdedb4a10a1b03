/**
 * The state that the parts of a session share: its streams, its output, and the consequences of
 * broken rules. Sections in comments are of RFC 9113.
 */
import { AbuseGuard } from "./abuse-guard.js";
import { ErrorCode, FrameType } from "./constants.js";
import type { HeaderFields } from "./hpack/encoder.js";
import type { Http2Limits } from "./limits.js";
import { Sender } from "./sender.js";
import { PeerSettings } from "./settings.js";
import { type Http2Stream, ignoring, type StreamOwner } from "./stream.js";
import { StreamTable } from "./stream-table.js";

export class SessionCore implements StreamOwner {
  /** The session reads nothing more. The transport closes once all output is pulled. */
  isOver = false;
  /** Whether new streams are refused: "asked" still serves what comes, "last" does not. */
  draining: "no" | "asked" | "last" = "no";
  nowMs: number;
  /** True while the owner of the transport knows that there is output to pull. */
  isOutputTold = false;
  readonly limits: Http2Limits;
  readonly settings = new PeerSettings();
  readonly streams = new StreamTable();
  readonly sender: Sender;
  readonly guard: AbuseGuard;
  readonly #onOutput: () => void;

  constructor(limits: Http2Limits, nowMs: number, onOutput: () => void) {
    this.limits = limits;
    this.nowMs = nowMs;
    this.#onOutput = onOutput;
    this.guard = new AbuseGuard(limits);
    this.sender = new Sender(this.settings, {
      onOutput: () => this.tellOutput(),
      onLocalEnd: (stream) => this.#onLocalEnd(stream),
    });
  }

  head(stream: Http2Stream, fields: HeaderFields): void {
    this.sender.head(stream, fields);
  }

  data(stream: Http2Stream, payload: Uint8Array, isMessage: boolean): boolean {
    return this.sender.data(stream, payload, isMessage);
  }

  end(stream: Http2Stream, trailers: HeaderFields | null): void {
    this.sender.end(stream, trailers);
  }

  answer(
    stream: Http2Stream,
    head: HeaderFields,
    message: Uint8Array,
    trailers: HeaderFields,
  ): void {
    this.sender.answer(stream, head, message, trailers);
  }

  reset(stream: Http2Stream, code: number): void {
    this.sender.reset(stream.id, code);
    this.streams.noteReset(stream.id);
    this.remove(stream);
  }

  grow(stream: Http2Stream, window: number): void {
    const more = window - stream.receiveWindow;
    stream.receiveWindow = window;
    this.sender.control(FrameType.windowUpdate, 0, stream.id, more);
  }

  /** The peer broke a rule of a stream (section 5.4.2). */
  breakStream(id: number, stream: Http2Stream | undefined, code: number): void {
    this.sender.reset(id, code);
    this.streams.noteReset(id);
    if (stream !== undefined) {
      const { handler } = stream;
      this.remove(stream);
      handler.handleReset();
    }
    this.guard.reset(this.nowMs);
  }

  remove(stream: Http2Stream): void {
    stream.isClosed = true;
    stream.handler = ignoring;
    if (stream.queuedBytes > 0) this.sender.discard(stream);
    this.streams.remove(stream);
    if (this.draining === "last" && this.streams.count === 0) this.isOver = true;
  }

  spendIdle(): void {
    if (this.sender.credit > 0) this.sender.credit--;
    else this.guard.idleFrame(this.nowMs);
  }

  tellOutput(): void {
    if (this.isOutputTold) return;
    this.isOutputTold = true;
    this.#onOutput();
  }

  #onLocalEnd(stream: Http2Stream): void {
    if (stream.isClosed) return;
    if (stream.isRemoteClosed) this.remove(stream);
    else if (stream.resetsAtEnd) this.reset(stream, ErrorCode.noError);
  }
}
