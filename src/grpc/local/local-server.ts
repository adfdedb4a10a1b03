/** Calls methods of this process by their gRPC path. */
import { type Clock, ownedClock } from "../../platform/clock.js";
import type { Method, Status } from "../call.js";
import type { CallCounters, MethodCounters } from "../call-counters.js";
import { Deadlines } from "../calls/deadlines.js";
import {
  type LocalRequest,
  type LocalSink,
  LocalStreamCall,
  type LocalSurroundings,
  LocalUnaryCall,
} from "./local-call.js";

export interface LocalServerOptions {
  readonly methods: readonly Method[];
  readonly counters: CallCounters;
  readonly clock: Clock;
  /** Gets what a service threw. Returns the status that ends the call. */
  readonly onError: (error: unknown) => Status;
}

export class LocalServer {
  readonly #methods = new Map<string, { method: Method; counters: MethodCounters }>();
  readonly #surroundings: LocalSurroundings;

  constructor({ methods, counters, clock, onError }: LocalServerOptions) {
    const own =
      (fn: () => void): (() => void) =>
      () => {
        try {
          fn();
        } catch (error) {
          onError(error);
        }
      };
    const owned = ownedClock(clock, own);
    this.#surroundings = { deadlines: new Deadlines(owned), clock: owned, onError };
    for (const method of methods) {
      this.#methods.set(method.path, { method, counters: counters.of(method) });
    }
  }

  kindOf(path: string): Method["kind"] | undefined {
    return this.#methods.get(path)?.method.kind;
  }

  /**
   * The answer goes to `sink`, possibly within the call: one message and the end, or the end with an
   * error.
   *
   * @throws Error if there is no such unary method
   */
  unary(path: string, message: Uint8Array, request: LocalRequest, sink: LocalSink): LocalUnaryCall {
    const { method, counters } = this.#found(path);
    if (method.kind !== "unary") throw new Error(`${path} is a stream`);
    const call = new LocalUnaryCall(request, sink, counters, this.#surroundings);
    call.start(method, message);
    return call;
  }

  /** @throws Error if there is no such stream */
  stream(path: string, request: LocalRequest, sink: LocalSink): LocalStreamCall {
    const { method, counters } = this.#found(path);
    if (method.kind === "unary") throw new Error(`${path} is no stream`);
    const call = new LocalStreamCall(request, sink, counters, this.#surroundings);
    call.start(method);
    return call;
  }

  #found(path: string): { method: Method; counters: MethodCounters } {
    const found = this.#methods.get(path);
    if (found === undefined) throw new Error(`there is no method ${path}`);
    return found;
  }
}
