/** One client: sends one request after the other, and records each request with its answer. */
import type { OperationOutcome, Request } from "../../verify/history/types.js";
import { decodeAnswer, encodeRequest } from "../../verify/sim/clients/client-calls.js";
import { pauseFor } from "../pause.js";
import type { CallResult } from "../ports.js";
import type { ActorParts, TrafficActor } from "./actor.js";
import { drawRequest, Memory, type RequestMix } from "./draw-request.js";
import { RecordedCalls } from "./recorded-calls.js";

const timeoutMs = 3_000;
/**
 * Milliseconds that a client waits after it got no answer, so that it does not ask a dead member
 * all the time.
 */
const afterFailureMs = 100;

/**
 * gRPC codes by which a member says that it did not do what it was asked: InvalidArgument, NotFound,
 * AlreadyExists, PermissionDenied, FailedPrecondition, OutOfRange, Unimplemented, Unauthenticated.
 */
const refusalCodes = new Set([3, 5, 6, 7, 9, 11, 12, 16]);

/** Its code, ResourceExhausted, is also that of a stream that was reset after the request was sent. */
const noSpace = /database space exceeded/;

export interface KvClientParts extends ActorParts {
  /**
   * The only member that this client asks. Undefined: clients with even numbers stay with one
   * member, the others ask any.
   */
  readonly at?: string;
  readonly mix: RequestMix;
  readonly keys: number;
  /** Milliseconds between an answer and the next request. */
  readonly paceMs: number;
}

export class KvClient implements TrafficActor {
  readonly #parts: KvClientParts;
  readonly #calls: RecordedCalls;
  readonly #memory = new Memory();
  #asked = 0;
  #isOver = false;

  constructor(parts: KvClientParts) {
    this.#parts = parts;
    const { stage, number, at } = parts;
    const { members } = stage;
    const own = at ?? (members[(number >> 1) % members.length] as string);
    const asked = at !== undefined || number % 2 === 0 ? [own] : members;
    this.#calls = new RecordedCalls(parts, asked);
  }

  /** Resolves after `end`, when the client has its last answer. */
  async run(): Promise<void> {
    const { clock, paceMs } = this.#parts;
    while (!this.#isOver) {
      const isAnswered = await this.#ask();
      const ms = isAnswered ? paceMs : afterFailureMs;
      if (ms > 0) await pauseFor(clock, ms);
    }
    this.#calls.close();
  }

  end(): void {
    this.#isOver = true;
  }

  /** Sends one request. Returns false if there was no answer. */
  async #ask(): Promise<boolean> {
    const { rng, number, keys, mix } = this.#parts;
    const value = `v${number}-${++this.#asked}`;
    const request = drawRequest({ rng, keys, value, memory: this.#memory }, mix);
    const [member, connection] = this.#calls.any();
    const { path, bytes } = encodeRequest(request as Parameters<typeof encodeRequest>[0]);
    const call = () => connection.call(path, bytes, timeoutMs);
    const outcome = await this.#calls.record(request, member, call, (result) =>
      outcomeOf(request, result),
    );
    if (outcome.kind === "ok") this.#memory.learn(request, outcome.revision, outcome.answer);
    return outcome.kind === "ok";
  }
}

/**
 * Decodes the result of a call. An error after which the request may still take effect is
 * "unknown".
 */
export function outcomeOf(request: Request, result: CallResult): OperationOutcome {
  if (result.kind === "ok") {
    const answered = decodeAnswer(request as Parameters<typeof decodeAnswer>[0], result.bytes);
    return { kind: "ok", ...answered };
  }
  const { text, code, isUnsent } = result;
  const isRefused = isUnsent || refusalCodes.has(code) || noSpace.test(text);
  return { kind: isRefused ? "refused" : "unknown", error: text };
}
