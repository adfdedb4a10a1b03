/** For tests only: a clock that a test moves by hand, and other members that answer what it says. */
import type { Done } from "../base/done.js";
import type { KvError } from "../base/errors.js";
import type { PeerMethod } from "../peers/codec.js";
import type { Clock } from "../platform/clock.js";
import { digestVersion } from "../state/digest.js";
import type { Fingerprint } from "../state/fingerprint.js";

export class HandClock implements Clock {
  #nowMs = 0;
  #timers: { readonly dueMs: number; readonly fn: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  unixMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, fn: () => void): { cancel(): void } {
    const timer = { dueMs: this.#nowMs + delayMs, fn };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  defer(fn: () => void): void {
    this.after(0, fn);
  }

  /** Time passes; what is due by then runs in order, also what begins meanwhile. */
  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const due = this.#timers.filter(({ dueMs }) => dueMs <= endMs);
      const [first] = due.sort((a, b) => a.dueMs - b.dueMs);
      if (first === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== first);
      this.#nowMs = Math.max(this.#nowMs, first.dueMs);
      first.fn();
    }
    this.#nowMs = endMs;
  }
}

export interface Asked {
  readonly to: bigint;
  readonly method: PeerMethod;
  readonly body: Uint8Array;
}

/** Requests to other members, until a test answers them. */
export class Others {
  /** All that was ever asked. */
  readonly asked: Asked[] = [];
  #open: (Asked & { readonly done: Done<Uint8Array> })[] = [];

  readonly request = (
    to: bigint,
    method: PeerMethod,
    body: Uint8Array,
    done: Done<Uint8Array>,
  ): void => {
    this.asked.push({ to, method, body });
    this.#open.push({ to, method, body, done });
  };

  /** The oldest such request that has no answer yet gets this one. False: there is none. */
  answer(to: bigint, method: PeerMethod, answer: Uint8Array | KvError): boolean {
    const request = this.#open.find((open) => open.to === to && open.method === method);
    if (request === undefined) return false;
    this.#open = this.#open.filter((open) => open !== request);
    request.done(answer);
    return true;
  }

  /** Who was asked for that, in order. */
  toldOf(method: PeerMethod): bigint[] {
    return this.asked.filter((asked) => asked.method === method).map(({ to }) => to);
  }
}

/** Of a state that is told from others by a number. */
export function fingerprintOf(index: number, state: number): Fingerprint {
  const numbers = { version: digestVersion, index, revision: 4, compactRevision: -1, logChain: 7 };
  return { ...numbers, rows: new Uint8Array(16).fill(state) };
}
