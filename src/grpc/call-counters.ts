/**
 * What happened on each method, for grpc_server_* metrics. Every method of the server is there from
 * the start with zeros, so that a rate is defined before the first call.
 */

import { Histogram } from "../base/histogram.js";

/** Seconds, as Go's gRPC servers have them. */
const handlingBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** gRPC's codes 0 (OK) to 16. */
const codeCount = 17;

export interface MethodCounters {
  readonly path: string;
  readonly kind: "unary" | "serverStream" | "bidi";
  started: number;
  received: number;
  sent: number;
  /** Of message bodies. */
  receivedBytes: number;
  sentBytes: number;
  /** Ended calls by status code. */
  readonly handled: number[];
  /** Seconds from the beginning of a call to its end. */
  readonly handling: Histogram;
}

export class CallCounters {
  readonly #byPath = new Map<string, MethodCounters>();

  /** The counters of this method. The first call makes them. */
  of(method: Pick<MethodCounters, "path" | "kind">): MethodCounters {
    const known = this.#byPath.get(method.path);
    if (known !== undefined) return known;
    const handled = new Array<number>(codeCount).fill(0);
    const { path, kind } = method;
    const bytes = { receivedBytes: 0, sentBytes: 0 };
    const handling = new Histogram(handlingBounds);
    const counters = { path, kind, started: 0, received: 0, sent: 0, ...bytes, handled, handling };
    this.#byPath.set(path, counters);
    return counters;
  }

  all(): Iterable<MethodCounters> {
    return this.#byPath.values();
  }
}
