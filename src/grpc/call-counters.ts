/**
 * What happened on each method, for grpc_server_* metrics. Every method of the server is there from
 * the start with zeros, so that a rate is defined before the first call.
 */

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
}

export class CallCounters {
  readonly #byPath = new Map<string, MethodCounters>();

  /** The counters of this method, made at the first asking. */
  of(method: Pick<MethodCounters, "path" | "kind">): MethodCounters {
    const known = this.#byPath.get(method.path);
    if (known !== undefined) return known;
    const handled = new Array<number>(codeCount).fill(0);
    const { path, kind } = method;
    const bytes = { receivedBytes: 0, sentBytes: 0 };
    const counters = { path, kind, started: 0, received: 0, sent: 0, ...bytes, handled };
    this.#byPath.set(path, counters);
    return counters;
  }

  all(): Iterable<MethodCounters> {
    return this.#byPath.values();
  }
}
