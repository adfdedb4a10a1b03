/**
 * Changes that no answer accounts for. Each must be the effect of an operation with an unknown
 * outcome that had been called by then, or the end of a lease whose time was over.
 */
import type { Operation } from "../../history/types.js";
import { type Claims, isAnswered, isLocalRead } from "./entry-claims.js";
import type { Replay, ReplayEntry } from "./replay.js";
import { requestText } from "./request-text.js";
import { type CheckFailure, describeOperation } from "./verdict.js";

export interface UnclaimedOptions {
  readonly ground: Replay;
  readonly expiry: "timed" | "any";
  readonly isShared: boolean;
  /** True if the store also compacts by itself. */
  readonly compacts?: boolean;
  readonly claims: Claims;
  /** Operation id -> position; receives the unknown operations that had an effect. */
  readonly positions: Map<number, number>;
}

/**
 * The first change that nothing explains. Undefined: all are explained, and `positions` has the
 * operations that made them.
 */
export function explainUnclaimed(
  operations: readonly Operation[],
  options: UnclaimedOptions,
): CheckFailure | undefined {
  const { ground, claims, positions } = options;
  if (claims.unclaimed.length === 0) return undefined;
  const latest = latestTimes(operations, options);
  const pending = byText(operations, "unknown");
  const refused = byText(operations, "refused");
  const deadlines =
    options.expiry === "timed" ? new LeaseDeadlines(operations, options) : undefined;
  for (const position of claims.unclaimed) {
    const entry = ground.entries[position - 1] as ReplayEntry;
    const latestUs = latest[position] as number;
    // Nothing tells whether the store did it or an operation without an answer, perhaps one that was
    // called later: the entry dates none.
    if (entry.request.kind === "compact" && options.compacts === true) continue;
    const owner = takeFirst(pending, entry, latestUs);
    if (owner !== undefined) {
      positions.set(owner.id, position);
      continue;
    }
    if (entry.request.kind === "leaseRevoke") {
      const early = deadlines?.tooEarly(entry.request.id, { position, latestUs });
      if (early === undefined) continue;
      return early;
    }
    const liar = takeFirst(refused, entry, latestUs);
    if (liar !== undefined) {
      const text = `${describeOperation(liar)} and it happened nevertheless, before revision ${entry.revision + 1}`;
      return { reason: "refused-effect", text, operations: [liar] };
    }
    if (options.isShared) continue;
    const text = `nobody asked for ${requestText(entry.request)} at revision ${entry.revision}`;
    return { reason: "nobody-asked", text, operations: [] };
  }
  return undefined;
}

/** By position: the latest time at which the store can have reached it first. */
export function latestTimes(
  operations: readonly Operation[],
  {
    ground,
    positions,
  }: { readonly ground: Replay; readonly positions: ReadonlyMap<number, number> },
): Float64Array {
  const latest = new Float64Array(ground.entries.length + 2).fill(Number.POSITIVE_INFINITY);
  for (const operation of operations) {
    if (!isAnswered(operation) || isLocalRead(operation)) continue;
    if (operation.request.kind === "leaseKeepAlive" || operation.returnUs === undefined) continue;
    const fixed = positions.get(operation.id);
    const position = fixed ?? ground.firstPosition(operation.outcome.revision);
    if (position === undefined) continue;
    latest[position] = Math.min(latest[position] as number, operation.returnUs);
  }
  for (let at = latest.length - 2; at >= 0; at--) {
    latest[at] = Math.min(latest[at] as number, latest[at + 1] as number);
  }
  return latest;
}

/** Calls ascending within a text. */
function byText(
  operations: readonly Operation[],
  kind: "unknown" | "refused",
): Map<string, Operation[]> {
  const found = new Map<string, Operation[]>();
  const called = operations.filter(({ outcome }) => outcome.kind === kind);
  for (const operation of called.sort((a, b) => a.callUs - b.callUs)) {
    const text = requestText(operation.request);
    const same = found.get(text);
    if (same === undefined) found.set(text, [operation]);
    else same.push(operation);
  }
  return found;
}

/** The earliest call is as good as any: later entries always leave more time. */
function takeFirst(
  from: ReadonlyMap<string, Operation[]>,
  { request }: ReplayEntry,
  latestUs: number,
): Operation | undefined {
  const texts = [requestText(request)];
  if (request.kind === "leaseGrant") texts.push(requestText({ ...request, id: "0" }));
  for (const text of texts) {
    const same = from.get(text);
    const first = same?.[0];
    if (first !== undefined && first.callUs <= latestUs) return same?.shift();
  }
  return undefined;
}

/** How long a lease must live, by the acknowledged answers. */
class LeaseDeadlines {
  readonly #operations = new Map<string, Operation[]>();
  readonly #options: UnclaimedOptions;

  constructor(operations: readonly Operation[], options: UnclaimedOptions) {
    this.#options = options;
    for (const operation of operations) {
      if (!isAnswered(operation) || operation.outcome.answer.kind !== "lease") continue;
      const { id, ttl } = operation.outcome.answer;
      if (ttl === 0) continue;
      const same = this.#operations.get(id);
      if (same === undefined) this.#operations.set(id, [operation]);
      else same.push(operation);
    }
  }

  tooEarly(
    lease: string,
    end: { readonly position: number; readonly latestUs: number },
  ): CheckFailure | undefined {
    const lives = this.#livesOf(lease);
    const granted = lives.filter((position) => position < end.position).at(-1);
    for (const operation of this.#operations.get(lease) ?? []) {
      const { outcome, request, callUs } = operation;
      if (outcome.kind !== "ok" || outcome.answer.kind !== "lease") continue;
      // A renewal of an id that was granted twice may belong to the other lease.
      const isOfThisLife =
        request.kind === "leaseGrant"
          ? this.#options.positions.get(operation.id) === granted
          : lives.length === 1;
      if (!isOfThisLife) continue;
      const deadlineUs = callUs + outcome.answer.ttl * 1_000_000;
      if (deadlineUs <= end.latestUs) continue;
      const early = Math.ceil((deadlineUs - end.latestUs) / 1000);
      const text = `lease ${lease} ended by itself at least ${early} ms too early after ${describeOperation(operation)}`;
      return { reason: "early-expiry", text, operations: [operation] };
    }
    return undefined;
  }

  /** Positions after the grants of this id. */
  #livesOf(lease: string): readonly number[] {
    return this.#options.ground.entries.flatMap(({ effect }, at) =>
      effect.error === undefined && effect.granted?.id === lease ? [at + 1] : [],
    );
  }
}
