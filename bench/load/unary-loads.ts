/**
 * Loads of unary calls that may all differ. `closedLoop` keeps a number of calls in flight: each
 * answer starts the next call. `fixedRate` starts calls at their time, whether earlier ones were
 * answered or not, and measures from that time: a server that stands still is not waited for.
 */
import { GrpcConnection } from "./grpc-connection.js";
import { type LoadResult, resultOf } from "./latencies.js";

export interface Call {
  readonly path: string;
  /** The protobuf message, without gRPC's prefix. */
  readonly message: Uint8Array;
  /** Sees the answer; throws when it is not what was asked for. */
  readonly check?: (answer: Buffer) => void;
}

export interface UnaryPlan {
  readonly endpoint: string;
  readonly connections: number;
  readonly requests: number;
  /** Call number `at`, sent by `worker`. */
  next(at: number, worker: number): Call;
}

async function open(plan: UnaryPlan): Promise<GrpcConnection[]> {
  const all: GrpcConnection[] = [];
  for (let at = 0; at < plan.connections; at++) {
    all.push(await GrpcConnection.open(plan.endpoint));
  }
  return all;
}

class Tally {
  readonly latencies: Float64Array;
  readonly done: Promise<void>;
  #count = 0;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(requests: number) {
    this.latencies = new Float64Array(requests);
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Sends `call`; `then` follows its answer. */
  send(connection: GrpcConnection, call: Call, sinceMs: number, then: () => void): void {
    connection.call(call.path, call.message, (answer) => {
      try {
        if (answer === undefined) throw new Error(`${call.path} failed`);
        call.check?.(answer);
      } catch (error) {
        this.#reject(error as Error);
        return;
      }
      this.latencies[this.#count++] = performance.now() - sinceMs;
      if (this.#count === this.latencies.length) this.#resolve();
      else then();
    });
  }
}

/** @throws when a call fails */
export async function closedLoop(
  plan: UnaryPlan & { readonly streams: number },
): Promise<LoadResult> {
  const connections = await open(plan);
  const tally = new Tally(plan.requests);
  const startedMs = performance.now();
  let sent = 0;
  try {
    for (let worker = 0; worker < plan.connections * plan.streams; worker++) {
      const connection = connections[worker % plan.connections] as GrpcConnection;
      const send = (): void => {
        if (sent === plan.requests) return;
        tally.send(connection, plan.next(sent++, worker), performance.now(), send);
      };
      send();
    }
    await tally.done;
    const seconds = (performance.now() - startedMs) / 1_000;
    return resultOf(plan.requests, seconds, tally.latencies);
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** @throws when a call fails */
export async function fixedRate(
  plan: UnaryPlan & { readonly perSecond: number },
): Promise<LoadResult> {
  const connections = await open(plan);
  const tally = new Tally(plan.requests);
  const startedMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (; sent < plan.requests; sent++) {
      const dueMs = startedMs + (sent * 1_000) / plan.perSecond;
      if (dueMs > nowMs) return;
      const worker = sent % plan.connections;
      const connection = connections[worker] as GrpcConnection;
      tally.send(connection, plan.next(sent, worker), dueMs, () => {});
    }
    clearInterval(timer);
  }, 1);
  try {
    await tally.done;
    const seconds = (performance.now() - startedMs) / 1_000;
    return resultOf(plan.requests, seconds, tally.latencies);
  } finally {
    clearInterval(timer);
    for (const connection of connections) connection.close();
  }
}
