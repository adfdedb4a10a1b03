/**
 * Deadlines of calls (grpc-timeout). One timer serves all: calls that end within the same few
 * milliseconds share a bucket.
 */
import type { Clock, Timer } from "../../platform/clock.js";

const bucketMs = 8;
const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds; undefined: not of the form that "gRPC over HTTP/2" gives, at most 8 digits and a unit. */
export function parseTimeout(text: string): number | undefined {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * (unitMs[match[2] as string] as number);
}

export interface Timed {
  /** On the clock that Deadlines has. */
  readonly dueMs: number;
  handleDeadline(): void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #buckets = new Map<number, Set<Timed>>();
  #timer: Timer | undefined;
  #timerBucket = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(timed: Timed): void {
    const bucket = bucketOf(timed);
    let members = this.#buckets.get(bucket);
    if (members === undefined) {
      members = new Set();
      this.#buckets.set(bucket, members);
    }
    members.add(timed);
    if (bucket < this.#timerBucket) this.#arm(bucket);
  }

  remove(timed: Timed): void {
    const bucket = bucketOf(timed);
    const members = this.#buckets.get(bucket);
    if (members?.delete(timed) && members.size === 0) this.#buckets.delete(bucket);
    if (this.#buckets.size === 0) this.#disarm();
  }

  #arm(bucket: number): void {
    this.#timer?.cancel();
    this.#timerBucket = bucket;
    const delayMs = Math.max(0, bucket * bucketMs - this.#clock.now());
    this.#timer = this.#clock.after(delayMs, () => this.#expire());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerBucket = Number.POSITIVE_INFINITY;
  }

  #expire(): void {
    const nowMs = this.#clock.now();
    this.#timer = undefined;
    this.#timerBucket = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const [bucket, members] of [...this.#buckets]) {
      if (bucket * bucketMs > nowMs) {
        next = Math.min(next, bucket);
        continue;
      }
      this.#buckets.delete(bucket);
      for (const timed of members) timed.handleDeadline();
    }
    if (next < this.#timerBucket && this.#buckets.size > 0) this.#arm(next);
  }
}

/** Never before it is due. */
function bucketOf(timed: Timed): number {
  return Math.ceil(timed.dueMs / bucketMs);
}
