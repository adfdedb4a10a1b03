/**
 * Requests from member to member, over the same best-effort messages as raft. A follower asks the
 * leader to renew a lease; a lagging member pulls snapshot chunks. A request ends once: with the
 * response, or with `timeout` when none came. After a timeout the other member may have acted all
 * the same.
 */

import type { Done } from "../base/done.js";
import { type ErrorReason, errorTable, KvError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import type { Clock, Timer } from "../platform/clock.js";
import type { Network } from "../platform/network.js";
import {
  decodeEnvelope,
  failureEnvelope,
  type PeerEnvelope,
  type PeerMethod,
  requestEnvelope,
  responseEnvelope,
} from "./codec.js";

/** Serves one method. It calls `done` once, with the body of the response or with an error. */
export type PeerHandler = (from: bigint, body: Uint8Array, done: Done<Uint8Array>) => void;

export class Peers {
  readonly #clock: Clock;
  readonly #handlers = new Map<number, PeerHandler>();
  readonly #pending = new Map<number, { readonly done: Done<Uint8Array>; readonly timer: Timer }>();
  #nextId = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sets the handler of a method, once. A request for a method without one fails with `stopped`. */
  serve(method: PeerMethod, handler: PeerHandler): void {
    invariant(!this.#handlers.has(method), "two parts serve one method", () => ({ method }));
    this.#handlers.set(method, handler);
  }

  /**
   * Calls `done` once, later: with the answer's body, the other member's error, or `timeout`.
   * Returns a function that drops the request: `done` is not called any more.
   */
  request(
    network: Network,
    target: { readonly to: bigint; readonly method: PeerMethod; readonly timeoutMs: number },
    body: Uint8Array,
    done: Done<Uint8Array>,
  ): () => void {
    const id = this.#nextId++;
    const timer = this.#clock.after(target.timeoutMs, () => {
      this.#pending.delete(id);
      done(new KvError("timeout"));
    });
    this.#pending.set(id, { done, timer });
    network.send(target.to, requestEnvelope(id, target.method, body));
    return () => {
      this.#pending.delete(id);
      timer.cancel();
    };
  }

  /**
   * Handles any message except raft's. Returns a raft message to the caller; undefined: there is
   * nothing left to do.
   */
  received(
    network: Network,
    from: bigint,
    bytes: Uint8Array,
  ): Extract<PeerEnvelope, { kind: "raft" }> | undefined {
    const envelope = decodeEnvelope(bytes);
    if (envelope === undefined) return undefined;
    if (envelope.kind === "raft") return envelope;
    if (envelope.kind === "response") {
      const pending = this.#pending.get(envelope.id);
      if (pending === undefined) return undefined;
      this.#pending.delete(envelope.id);
      pending.timer.cancel();
      pending.done(
        envelope.error === undefined ? envelope.body : new KvError(toReason(envelope.error)),
      );
      return undefined;
    }
    const { id } = envelope;
    const handler = this.#handlers.get(envelope.method);
    if (handler === undefined) {
      network.send(from, failureEnvelope(id, "stopped"));
      return undefined;
    }
    handler(from, envelope.body, (result) => {
      const answer =
        result instanceof KvError
          ? failureEnvelope(id, result.reason)
          : responseEnvelope(id, result);
      network.send(from, answer);
    });
    return undefined;
  }

  /** Ends all open requests with `error`. */
  failAll(error: KvError): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of all) {
      pending.timer.cancel();
      pending.done(error);
    }
  }
}

function toReason(text: string): ErrorReason {
  return Object.hasOwn(errorTable, text) ? (text as ErrorReason) : "stopped";
}
