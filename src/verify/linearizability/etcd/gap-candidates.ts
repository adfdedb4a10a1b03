/**
 * The possible makers of a revision that no answer accounts for: operations without an answer, and
 * leases that ended by themselves. Leaves out only candidates that are certainly impossible. The
 * order says which to try first.
 */
import { isSameCount, notRecorded } from "../../history/not-recorded.js";
import { possibleOps } from "../../history/txn-ops.js";
import type { KeyValue, Operation, PlainOp, Request } from "../../history/types.js";
import { effectOf, refusal } from "./effect.js";
import { isAnswered, isLocalRead, namedRequest } from "./entry-claims.js";
import type { HistoryEvidence } from "./evidence.js";
import { isPutOf, type KnownOrder } from "./plain-contradictions.js";
import type { Replay } from "./replay.js";
import { requestText } from "./request-text.js";
import type { WatchSightings } from "./watch-sightings.js";

export interface Candidate {
  readonly request: Request;
  /** The operation that may have made the revision. Absent: the server made it by itself. */
  readonly operation?: Operation;
}

export interface CandidateOptions {
  readonly expiry: "timed" | "any";
  readonly evidence: HistoryEvidence;
  /** Undefined: watches are not believed. */
  readonly sightings: WatchSightings | undefined;
}

export class GapCandidates {
  /** Operations that already have their place, in the order in which they got it. */
  readonly used: Operation[] = [];
  readonly #isUsed = new Set<Operation>();
  /** Operations with an unknown outcome that may make a revision, by call. */
  readonly #pending: readonly Operation[];
  readonly #texts = new Map<Operation, string>();
  /** Acknowledged revocations by the revision in their answers. */
  readonly #revocations = new Map<number, Operation[]>();
  readonly #lives: LeaseLives;
  readonly #evidence: HistoryEvidence;
  readonly #sightings: WatchSightings | undefined;
  /** By revision: the latest time at which an operation can have made it. */
  readonly #latestUs: Float64Array;

  constructor(operations: readonly Operation[], known: KnownOrder, options: CandidateOptions) {
    this.#evidence = options.evidence;
    this.#sightings = options.sightings;
    this.#pending = operations
      .filter(({ outcome }) => outcome.kind === "unknown")
      .filter(({ request }) => !["range", "leaseKeepAlive", "other"].includes(request.kind))
      .sort((a, b) => a.callUs - b.callUs);
    for (const one of this.#pending) this.#texts.set(one, requestText(one.request));
    this.#latestUs = new Float64Array(known.last + 2).fill(Number.POSITIVE_INFINITY);
    for (const operation of operations) {
      if (!isAnswered(operation) || isLocalRead(operation)) continue;
      const { request, outcome, returnUs } = operation;
      if (request.kind === "leaseKeepAlive" || request.kind === "other") continue;
      if (request.kind === "leaseRevoke") {
        const same = this.#revocations.get(outcome.revision);
        if (same === undefined) this.#revocations.set(outcome.revision, [operation]);
        else same.push(operation);
      }
      const latest = this.#latestUs[outcome.revision] as number;
      this.#latestUs[outcome.revision] = Math.min(latest, returnUs ?? latest);
    }
    for (let at = known.last; at >= 0; at--) {
      const next = this.#latestUs[at + 1] as number;
      this.#latestUs[at] = Math.min(this.#latestUs[at] as number, next);
    }
    this.#lives = new LeaseLives(operations, options.expiry);
  }

  isUsed(operation: Operation): boolean {
    return this.#isUsed.has(operation);
  }

  use(operation: Operation): void {
    this.used.push(operation);
    this.#isUsed.add(operation);
  }

  freeTo(length: number): void {
    while (this.used.length > length) this.#isUsed.delete(this.used.pop() as Operation);
  }

  of(
    revision: number,
    replay: Replay,
  ): { readonly list: readonly Candidate[]; readonly tried: number } {
    const latestUs = this.#latestUs[revision] as number;
    const found: { readonly candidate: Candidate; readonly rank: number }[] = [];
    let tried = 0;
    const consider = (candidate: Candidate): void => {
      const rank = this.#rank(candidate.request, revision, replay);
      if (rank !== undefined) found.push({ candidate, rank });
    };
    for (const operation of this.#revocations.get(revision) ?? []) {
      if (!this.isUsed(operation)) consider({ request: operation.request, operation });
    }
    const texts = new Set<string>();
    for (const operation of this.#pending) {
      if (operation.callUs > latestUs) break;
      tried++;
      // Of equal requests the earliest is enough: it fits wherever a later one fits.
      const text = this.#texts.get(operation) as string;
      if (this.isUsed(operation) || texts.has(text)) continue;
      texts.add(text);
      if (!this.#isRuledOut(operation.request, revision)) {
        consider({ request: operation.request, operation });
      }
    }
    for (const lease of replay.leaseIds()) {
      if (replay.keysOf(lease).length === 0 || !this.#lives.mayEnd(lease, latestUs)) continue;
      consider({ request: { kind: "leaseRevoke", id: lease } });
    }
    // Sorting is stable: among equals, earlier calls come first.
    found.sort((a, b) => a.rank - b.rank);
    return { list: found.map(({ candidate }) => candidate), tried };
  }

  /** Operations that make a refused request possible if they come first; empty: none does. */
  helpersFor(
    request: Request,
    error: string,
    { revision, replay }: { readonly revision: number; readonly replay: Replay },
  ): readonly Candidate[] {
    const latestUs = this.#latestUs[revision] as number;
    if (error === refusal.leaseExists && request.kind === "leaseGrant") {
      const { id } = request;
      if (replay.keysOf(id).length > 0) return [];
      const end = { kind: "leaseRevoke", id } as const;
      if (this.#lives.mayEnd(id, latestUs)) return [{ request: end }];
      const operation = this.#unknown(end, latestUs);
      return operation === undefined ? [] : [{ request: end, operation }];
    }
    if (error !== refusal.leaseNotFound) return [];
    const missing = leasesOf(request).filter((id) => !replay.hasLease(id));
    const grants = [...new Set(missing)].flatMap((id) => {
      const operation = this.#pending.find(
        (one) =>
          one.request.kind === "leaseGrant" &&
          one.request.id === id &&
          one.callUs <= latestUs &&
          !this.isUsed(one),
      );
      return operation === undefined ? [] : [{ request: operation.request, operation }];
    });
    return grants.length === new Set(missing).size ? grants : [];
  }

  #unknown(request: Request, latestUs: number): Operation | undefined {
    const text = requestText(request);
    return this.#pending.find(
      (one) => this.#texts.get(one) === text && one.callUs <= latestUs && !this.#isUsed.has(one),
    );
  }

  /** Whether the candidate is impossible in every state: cheap, and most candidates end here. */
  #isRuledOut(request: Request, revision: number): boolean {
    const seen = this.#evidence.hardAt(revision);
    if (request.kind === "compact" || request.kind === "leaseGrant") return true;
    if (seen === undefined) {
      // No answer showed what it would write at this revision; did one show something else?
      return request.kind === "put" && this.#contradicts(request.key, revision);
    }
    if (request.kind !== "put" && request.kind !== "txn") return true;
    const ops = request.kind === "put" ? [request] : possibleOps(request);
    return [...seen.values()].some((one) => !ops.some((op) => isPutOf(op, one)));
  }

  /** True if an answer showed an older version of the key at this revision. */
  #contradicts(key: string, revision: number): boolean {
    const { before } = this.#evidence.around(key, revision);
    return before !== undefined && before.last >= revision;
  }

  /** The rank of a candidate, small before large; undefined: it is impossible. */
  #rank(request: Request, revision: number, replay: Replay): number | undefined {
    const effect = effectOf(replay, request);
    if (effect.error !== undefined || effect.events.length === 0) return undefined;
    if (this.#sightings?.allows(revision, effect.events) === false) return undefined;
    const seen = this.#evidence.hardAt(revision);
    let rank = 4;
    let matched = 0;
    for (const event of effect.events) {
      const one = seen?.get(event.key);
      if (one !== undefined) {
        const isSame =
          isSameCount(event.create, one.kv.create) && isSameCount(event.version, one.kv.version);
        if (event.type !== "put" || !isSame || !isPutOf({ ...event, kind: "put" }, one)) {
          return undefined;
        }
        matched++;
        continue;
      }
      const { before, after } = this.#evidence.around(event.key, revision);
      if (before !== undefined && before.last >= revision) return undefined;
      if (after !== undefined && isWhole(after.kv) && after.kv.create <= revision) {
        if (event.type === "delete" || after.kv.create !== event.create) return undefined;
        const { mod, version } = after.kv;
        const known = this.#evidence.putsWithin(event.key, revision, mod);
        if (event.version + known > version) return undefined;
        // Some operations must have written the key this often, and this may be one of them.
        rank = Math.min(rank, 1);
      }
      if (this.#evidence.isSoft(revision, event.key)) rank = Math.min(rank, 0);
    }
    if (matched < (seen?.size ?? 0)) return undefined;
    return matched > 0 ? 0 : rank;
  }
}

function isWhole({ create, version }: KeyValue): boolean {
  return create !== notRecorded && version !== notRecorded;
}

/** When leases may end by themselves. */
class LeaseLives {
  /** By lease: the earliest time of its end, by the renewals that surely happened. */
  readonly #earliestUs = new Map<string, number>();

  constructor(operations: readonly Operation[], expiry: "timed" | "any") {
    for (const operation of operations) {
      const { outcome, callUs } = operation;
      const request = namedRequest(operation);
      if (request.kind !== "leaseGrant" || outcome.kind === "refused") continue;
      // The check judges renewals when the order is known.
      const endUs = expiry === "any" ? callUs : callUs + request.ttl * 1_000_000;
      const known = this.#earliestUs.get(request.id) ?? Number.POSITIVE_INFINITY;
      this.#earliestUs.set(request.id, Math.min(known, endUs));
    }
  }

  mayEnd(lease: string, latestUs: number): boolean {
    return (this.#earliestUs.get(lease) ?? Number.POSITIVE_INFINITY) <= latestUs;
  }
}

function leasesOf(request: Request): readonly string[] {
  if (request.kind === "leaseRevoke") return [request.id];
  const ops: readonly PlainOp[] =
    request.kind === "txn" ? possibleOps(request) : request.kind === "put" ? [request] : [];
  return ops.flatMap((op) => (op.kind === "put" && op.lease !== undefined ? [op.lease] : []));
}
