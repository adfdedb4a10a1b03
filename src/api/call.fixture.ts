/** Calls to services without a transport: records what a test sent, and how the call ended. */
import type { MessagePieces, Method, Status, StreamCall, UnaryCall } from "../grpc/call.js";

export interface Ended {
  answer?: Uint8Array;
  status?: Status;
}

/** The outcome of a unary call; filled when the service answers. */
export function callUnary(
  methods: readonly Method[],
  path: string,
  request: Uint8Array,
  metadata: Readonly<Record<string, string>> = {},
): Ended {
  const method = methods.find((candidate) => candidate.path === path);
  if (method?.kind !== "unary") throw new Error(`no unary method ${path}`);
  const ended: Ended = {};
  const isOver = () => ended.answer !== undefined || ended.status !== undefined;
  const call: UnaryCall = {
    timeoutMs: undefined,
    metadata: (name) => metadata[name],
    isOver: false,
    onCancel: () => {},
    respond: (answer) => {
      if (isOver()) throw new Error("answered twice");
      ended.answer = answer;
    },
    respondInPieces: (message) => call.respond(joined(message)),
    fail: (status) => {
      if (isOver()) throw new Error("answered twice");
      ended.status = status;
    },
  };
  method.handle(request, call);
  return ended;
}

/** Takes all parts of a message, and joins them. */
export function joined(message: MessagePieces): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let part = message.next(); part !== undefined; part = message.next()) parts.push(part);
  message.close();
  return Buffer.concat(parts);
}

/** A stream whose transport takes `room` messages before each drain. */
export class FakeStream implements StreamCall {
  readonly timeoutMs = undefined;
  readonly sent: Uint8Array[] = [];
  status: Status | undefined;
  isEnded = false;
  #room: number;
  readonly #roomMax: number;
  readonly #listeners: Record<"drain" | "cancel" | "halfClose", (() => void)[]> = {
    drain: [],
    cancel: [],
    halfClose: [],
  };
  readonly #request: Uint8Array;

  readonly #metadata: Readonly<Record<string, string>>;

  constructor(request: Uint8Array, room: number, metadata: Readonly<Record<string, string>> = {}) {
    this.#metadata = metadata;
    this.#request = request;
    this.#room = room;
    this.#roomMax = room;
  }

  metadata(name: string): string | undefined {
    return this.#metadata[name];
  }
  send(message: Uint8Array): boolean {
    if (this.isEnded || this.status !== undefined) throw new Error("sent after the end");
    this.sent.push(message);
    this.#room--;
    return this.#room > 0;
  }
  end(): void {
    this.isEnded = true;
  }
  fail(status: Status): void {
    this.status = status;
  }
  onMessage(fn: (message: Uint8Array) => void): void {
    fn(this.#request);
  }
  onDrain(fn: () => void): void {
    this.#listeners.drain.push(fn);
  }
  onCancel(fn: () => void): void {
    this.#listeners.cancel.push(fn);
  }
  onHalfClose(fn: () => void): void {
    this.#listeners.halfClose.push(fn);
  }
  drain(): void {
    this.#room = this.#roomMax;
    for (const fn of this.#listeners.drain) fn();
  }
  cancel(): void {
    for (const fn of this.#listeners.cancel) fn();
  }
}

/** Completes a message: fields that are not given get proto3's zero values. */
export function filled<T extends object>(
  type: { decode(message: Uint8Array): T },
  of: Partial<T>,
): T {
  return { ...type.decode(new Uint8Array(0)), ...of };
}
