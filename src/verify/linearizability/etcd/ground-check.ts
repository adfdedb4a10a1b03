/**
 * Whether a history agrees with the ground truth, the order in which the store took its changes.
 * Each operation gets a position in that order. Operations that changed something already have one
 * (entry-claims.ts). For operations that changed nothing, the code goes through them in the order
 * of calls. It takes the earliest position that allows the answer and that is not before any
 * operation that had returned at the call. The earliest position is best, because it leaves the
 * most room for later operations.
 *
 * Position p is the moment after p entries. One pass, n log n.
 */
import type { Operation } from "../../history/types.js";
import { misshapen } from "./answer-shape.js";
import { effectOf, readRange, refusal } from "./effect.js";
import { claimEntries, isAnswered, isLocalRead, madeItsRevision } from "./entry-claims.js";
import { Excuses } from "./excuses.js";
import { PastLeaseTimes, PastView } from "./past-view.js";
import type { Replay } from "./replay.js";
import { isSameAnswer } from "./same-answer.js";
import type { SeenCompactions } from "./seen-compactions.js";
import { explainUnclaimed } from "./unclaimed-entries.js";
import { type CheckFailure, describeOperation, type EtcdVerdict, failed } from "./verdict.js";

export interface GroundOptions {
  readonly ground: Replay;
  readonly expiry: "timed" | "any";
  readonly isShared: boolean;
  /** True if the store also compacts by itself. */
  readonly compacts?: boolean;
  /**
   * False: a search found the ground truth, and it lacks effects that leave no trace in revisions.
   */
  readonly isExact: boolean;
  /**
   * Compactions that clients noticed, also those of others, which the ground truth lacks.
   * Undefined: only operations compact.
   */
  readonly compactions?: SeenCompactions | undefined;
}

/** Refusals that depend on the state; any other refusal may happen at any time. */
const tellingRefusals = new Set<string>(Object.values(refusal));

/** Judges the operations against a known order of all changes, so it needs no search. */
export function judgeByGround(
  operations: readonly Operation[],
  options: GroundOptions,
): EtcdVerdict {
  const { ground } = options;
  const bad = misshapen(operations);
  if (bad !== undefined) return failed(bad, 0);
  const claims = claimEntries(operations, ground);
  if (claims.failure !== undefined) return failed(claims.failure, claims.positions.size);
  const positions = new Map(claims.positions);
  const order = new TimeOrder(operations);
  const failure = explainUnclaimed(operations, { ...options, claims, positions });
  if (failure !== undefined) return failed(failure, positions.size);
  return new Sweep(order, positions, options).run();
}

/** Operations by call and by return. */
class TimeOrder {
  readonly calls: readonly Operation[];
  readonly returns: readonly Operation[];

  constructor(operations: readonly Operation[]) {
    const counted = operations.filter((one) => !isLocalRead(one) && one.request.kind !== "other");
    this.calls = counted.toSorted((a, b) => a.callUs - b.callUs);
    this.returns = counted
      .filter(({ outcome, returnUs }) => outcome.kind !== "unknown" && returnUs !== undefined)
      .sort((a, b) => (a.returnUs as number) - (b.returnUs as number));
  }
}

class Sweep {
  readonly #order: TimeOrder;
  readonly #positions: Map<number, number>;
  readonly #ground: Replay;
  readonly #leases: PastLeaseTimes;
  readonly #excuses: Excuses | undefined;
  readonly #compactions: SeenCompactions | undefined;
  /** For the i-th call and all after it: the last position before any of them changes something. */
  readonly #ceilings: Float64Array;
  /** No operation that is called now can be before this position... */
  #floor = 0;
  /** ...because this operation has returned. */
  #floorOwner: Operation | undefined;

  constructor(order: TimeOrder, positions: Map<number, number>, options: GroundOptions) {
    this.#order = order;
    this.#positions = positions;
    this.#ground = options.ground;
    this.#leases = new PastLeaseTimes(options.ground);
    this.#excuses = options.isExact ? undefined : new Excuses(order.calls, options);
    this.#compactions = options.compactions;
    const { calls } = order;
    this.#ceilings = new Float64Array(calls.length + 1).fill(options.ground.entries.length);
    for (let at = calls.length - 1; at >= 0; at--) {
      const fixed = positions.get((calls[at] as Operation).id) ?? Number.POSITIVE_INFINITY;
      this.#ceilings[at] = Math.min(fixed - 1, this.#ceilings[at + 1] as number);
    }
  }

  run(): EtcdVerdict {
    const { calls, returns } = this.#order;
    let returned = 0;
    for (let at = 0; at < calls.length; at++) {
      const operation = calls[at] as Operation;
      while (returned < returns.length) {
        const earlier = returns[returned] as Operation;
        if ((earlier.returnUs as number) >= operation.callUs) break;
        this.#raise(earlier);
        returned++;
      }
      const failure = this.#place(operation);
      if (failure !== undefined) return failed(failure, at);
    }
    return { verdict: "linearizable", operationIds: [], text: "", placed: calls.length };
  }

  #raise(operation: Operation): void {
    const position = this.#positions.get(operation.id);
    if (position === undefined || position <= this.#floor) return;
    this.#floor = position;
    this.#floorOwner = operation;
  }

  #place(operation: Operation): CheckFailure | undefined {
    const fixed = this.#positions.get(operation.id);
    // Its own entry leads to `fixed`: an operation that saw that position came after it.
    if (fixed !== undefined) return fixed <= this.#floor ? this.#tooEarly(operation) : undefined;
    const { outcome, request } = operation;
    if (outcome.kind === "unknown") return undefined;
    if (outcome.kind === "refused") {
      return tellingRefusals.has(outcome.error) ? this.#placeRefused(operation) : undefined;
    }
    if (request.kind === "leaseKeepAlive") return this.#placeKeepAlive(operation);
    return this.#placeRead(operation);
  }

  /** Operations that name a revision and did not make it. */
  #placeRead(operation: Operation): CheckFailure | undefined {
    if (!isAnswered(operation) || madeItsRevision(operation)) return undefined;
    const { request, outcome } = operation;
    const { revision } = outcome;
    const first = this.#ground.firstPosition(revision);
    if (first === undefined) {
      const text = `${describeOperation(operation)}, to which the store never came`;
      return { reason: "wrong-answer", text, operations: [operation] };
    }
    const last = this.#ground.lastPosition(revision);
    if (last < this.#floor) return this.#tooEarly(operation);
    const from = Math.max(first, this.#floor);
    const view = new PastView(this.#ground, this.#leases, from);
    if (request.kind === "range") {
      const asked = request.revision ?? 0;
      if (asked > revision) return this.#wrong(operation, "that is after what it could know");
      if (asked > 0 && asked < view.compactRevision) {
        return this.#wrong(operation, `revision ${asked} was compacted before`);
      }
      if (!isSameAnswer(readRange(view, request), outcome.answer)) {
        return this.#wrong(operation, "the keys were different there");
      }
    } else {
      const effect = effectOf(view, request);
      const isRight =
        effect.error === undefined &&
        effect.events.length === 0 &&
        isSameAnswer(effect.answer, outcome.answer);
      if (!isRight) return this.#wrong(operation, "the state there gives another answer");
    }
    this.#positions.set(operation.id, from);
    return undefined;
  }

  #placeKeepAlive(operation: Operation): CheckFailure | undefined {
    const { request, outcome } = operation;
    if (request.kind !== "leaseKeepAlive" || outcome.kind !== "ok") return undefined;
    const isThere = outcome.answer.kind === "lease" && outcome.answer.ttl > 0;
    const isRight = (position: number) =>
      (this.#leases.ttlAt(request.id, position) !== undefined) === isThere;
    if (this.#placeWhere(operation, isRight)) return undefined;
    if (this.#excuses?.ofLease(request.id, isThere, operation) === true) return undefined;
    const text = `${describeOperation(operation)}: the lease was ${isThere ? "not " : ""}there all the time`;
    return { reason: "wrong-answer", text, operations: [operation] };
  }

  #placeRefused(operation: Operation): CheckFailure | undefined {
    const { request, outcome } = operation;
    if (outcome.kind !== "refused") return undefined;
    const isRight = (position: number) => {
      const view = new PastView(this.#ground, this.#leases, position);
      return effectOf(view, request).error === outcome.error;
    };
    if (this.#placeWhere(operation, isRight)) return undefined;
    if (this.#excuses?.ofRefusal(operation, outcome.error) === true) return undefined;
    if (this.#compactions?.explains(operation) === true) return undefined;
    const text = `${describeOperation(operation)} with "${outcome.error}", which was not so at any moment of it`;
    return { reason: "wrong-refusal", text, operations: [operation] };
  }

  #placeWhere(operation: Operation, isRight: (position: number) => boolean): boolean {
    const last = this.#ceilingOf(operation);
    for (let position = this.#floor; position <= last; position++) {
      if (!isRight(position)) continue;
      this.#positions.set(operation.id, position);
      return true;
    }
    return false;
  }

  /** The last position before an operation that was called after this one returned. */
  #ceilingOf({ returnUs }: Operation): number {
    const { calls } = this.#order;
    const endUs = returnUs ?? Number.POSITIVE_INFINITY;
    let low = 0;
    let high = calls.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((calls[middle] as Operation).callUs <= endUs) low = middle + 1;
      else high = middle;
    }
    return this.#ceilings[low] as number;
  }

  #wrong(operation: Operation, why: string): CheckFailure {
    const text = `${describeOperation(operation)} has a wrong answer: ${why}`;
    return { reason: "wrong-answer", text, operations: [operation] };
  }

  #tooEarly(operation: Operation): CheckFailure {
    const before = this.#floorOwner;
    const known = before === undefined ? "" : `, though ${describeOperation(before)} had returned`;
    const text = `${describeOperation(operation)} comes from before its call${known}`;
    const operations = before === undefined ? [operation] : [operation, before];
    return { reason: "real-time", text, operations };
  }
}
