/**
 * What calls of both kinds share: deadline, cancellation, metadata and their end. An ended call
 * ignores whatever still comes from its service.
 */
import { Code } from "../../base/errors.js";
import type { Call, Status } from "../call.js";
import type { ClientCertificate } from "../client-certificate.js";
import { fieldOf, type RequestHead } from "../http2/request-head.js";
import type { Http2Stream, StreamHandler } from "../http2/stream.js";
import type { CallQueue } from "./call-queue.js";
import type { Deadlines, Timed } from "./deadlines.js";
import { MessageReader, type MessageRules, type MessageSink } from "./message-reader.js";
import type { RequestPlan, Route } from "./request-plan.js";
import { statusOnly, trailersOf } from "./status.js";

/** What a call has to do with besides its client. */
export interface CallSurroundings {
  readonly certificate: ClientCertificate | undefined;
  readonly rules: MessageRules;
  readonly deadlines: Deadlines;
  readonly now: () => number;
  /** Gets what a service threw. Returns the status that ends the call. */
  readonly onError: (error: unknown) => Status;
  /** Runs code of the transport. An error of it ends the connection. */
  readonly guard: (run: () => void) => void;
  /** Every call that has not ended. */
  readonly open: Set<OpenCall>;
  /** Calls that may start when all that came with them was read. */
  readonly queue: CallQueue;
  /** Whether so many more octets of answers may wait for the client. */
  readonly mayWait: (bytes: number) => boolean;
}

export interface OpenCall {
  readonly isStream: boolean;
  /** Ends it from the server's side: for its service as if the client had gone. */
  cut(status: Status): void;
}

/** The plan of a request that calls a method. */
export type CallPlan = RequestPlan & { kind: "call" };

const deadlineExceeded: Status = {
  code: Code.deadlineExceeded,
  message: "context deadline exceeded",
};

export abstract class ServerCall implements Call, OpenCall, StreamHandler, MessageSink, Timed {
  dueMs = Number.POSITIVE_INFINITY;
  protected readonly stream: Http2Stream;
  protected readonly surroundings: CallSurroundings;
  protected readonly route: Route;
  isOver = false;
  readonly #head: RequestHead;
  readonly #startedMs: number;
  readonly #isGzip: boolean;
  #reader: MessageReader | undefined;
  #onCancel: (() => void)[] | undefined;

  constructor(
    stream: Http2Stream,
    head: RequestHead,
    plan: CallPlan,
    surroundings: CallSurroundings,
  ) {
    this.stream = stream;
    this.surroundings = surroundings;
    this.route = plan.route;
    this.#head = head;
    this.#isGzip = plan.isGzip;
    stream.resetsAtEnd = true;
    this.#startedMs = surroundings.now();
    surroundings.open.add(this);
    if (plan.timeoutMs === undefined) return;
    this.dueMs = this.#startedMs + plan.timeoutMs;
    surroundings.deadlines.add(this);
  }

  get connection(): object {
    return this.surroundings;
  }

  get certificate(): ClientCertificate | undefined {
    return this.surroundings.certificate;
  }

  get isStream(): boolean {
    return this.route.method.kind !== "unary";
  }

  get timeoutMs(): number | undefined {
    if (this.dueMs === Number.POSITIVE_INFINITY) return undefined;
    return Math.max(0, this.dueMs - this.surroundings.now());
  }

  metadata(name: string): string | undefined {
    const value = fieldOf(this.#head.fields, name);
    if (value === undefined || !name.endsWith("-bin")) return value;
    return Buffer.from(value, "base64").toString("latin1");
  }

  fail(status: Status): void {
    if (!this.over(status.code)) return;
    this.stream.end(this.stream.isHeadSent ? trailersOf(status) : statusOnly(status));
  }

  onCancel(fn: () => void): void {
    this.#onCancel ??= [];
    this.#onCancel.push(fn);
  }

  handleData(bytes: Buffer, start: number, end: number): void {
    if (this.isOver) return;
    this.#reader ??= new MessageReader(this.stream, this, this.surroundings.rules, this.#isGzip);
    this.#reader.read(bytes, start, end);
  }

  abstract handleMessage(message: Uint8Array): void;
  abstract handleEnd(): void;
  abstract handleDrain(): void;

  handleFault(status: Status): void {
    this.cut(status);
  }

  handleReset(): void {
    if (this.over(Code.canceled)) this.#tellCancel();
  }

  handleDeadline(): void {
    this.surroundings.guard(() => this.cut(deadlineExceeded));
  }

  cut(status: Status): void {
    if (this.isOver) return;
    this.fail(status);
    this.#tellCancel();
  }

  /** A message has begun and is not complete. */
  protected get isAmid(): boolean {
    return this.#reader?.isAmid === true;
  }

  /** The client will send no more. False: it stopped inside a message, which ended the call. */
  protected isWhole(): boolean {
    if (!this.isAmid) return true;
    this.cut({ code: Code.internal, message: "unexpected EOF" });
    return false;
  }

  /** Runs code of the service. An error of it ends the call. */
  protected guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.failOn(error);
    }
  }

  protected failOn(error: unknown): void {
    const status = this.surroundings.onError(error);
    // A stream's service holds things for it; a unary call's knows that it threw.
    if (this.isStream) this.cut(status);
    else this.fail(status);
  }

  /** False: the call was over before. */
  protected over(code: number): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.surroundings.open.delete(this);
    const { handled, handling } = this.route.counters;
    handled[code] = (handled[code] ?? 0) + 1;
    handling.observe((this.surroundings.now() - this.#startedMs) / 1_000);
    if (this.dueMs !== Number.POSITIVE_INFINITY) this.surroundings.deadlines.remove(this);
    this.#reader?.close();
    return true;
  }

  #tellCancel(): void {
    for (const fn of this.#onCancel?.splice(0) ?? []) this.guard(fn);
  }
}
