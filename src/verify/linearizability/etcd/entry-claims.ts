/**
 * Assigns entries of the ground truth to operations. An answer that names the revision it made
 * leaves no choice. For grants and other entries without a revision, silent-claims.ts chooses. The
 * other entries belong to operations without an answer, to the server (leases that end by
 * themselves), or to no operation.
 */
import { plainAnswers } from "../../history/txn-ops.js";
import type { Operation, OperationOutcome, Request } from "../../history/types.js";
import type { Replay, ReplayEntry } from "./replay.js";
import { requestText } from "./request-text.js";
import { isSameAnswer } from "./same-answer.js";
import { floorsByTime, matchSilent } from "./silent-claims.js";
import { type CheckFailure, describeOperation } from "./verdict.js";

export interface Claims {
  /** By operation id: the position after its entry. */
  readonly positions: ReadonlyMap<number, number>;
  /** Entries that changed something and that no operation claimed, by their positions. */
  readonly unclaimed: readonly number[];
  readonly failure: CheckFailure | undefined;
}

/** Their answers do not name the revision that they made. */
const silentKinds = new Set(["leaseGrant", "leaseRevoke", "compact"]);

type Answered = Operation & { readonly outcome: Extract<OperationOutcome, { kind: "ok" }> };

/** True for a serializable range: a member may answer it from an older state. */
export function isLocalRead({ request }: Operation): boolean {
  return request.kind === "range" && request.serializable === true;
}

/** True if the client got an answer, and no error. */
export function isAnswered(operation: Operation): operation is Answered {
  return operation.outcome.kind === "ok";
}

/**
 * Whether the answer itself says that it made its revision. The answer of a revocation does not
 * say.
 */
export function madeItsRevision({ request, outcome }: Answered): boolean {
  const { answer } = outcome;
  if (answer.kind === "put") return true;
  if (answer.kind === "delete") return answer.deleted > 0;
  if (answer.kind !== "txn" || request.kind !== "txn") return false;
  return plainAnswers(answer.answers).some(
    (one) => one.kind === "put" || (one.kind === "delete" && one.deleted > 0),
  );
}

/** The request with the id that the server chose, where the answer names it. */
export function namedRequest({ request, outcome }: Operation): Request {
  if (request.kind !== "leaseGrant" || outcome.kind !== "ok") return request;
  if (outcome.answer.kind !== "lease") return request;
  return { ...request, id: outcome.answer.id, ttl: outcome.answer.ttl };
}

/** Finds for each entry of the log the operation that made it, by revision and content. */
export function claimEntries(operations: readonly Operation[], ground: Replay): Claims {
  return new Claiming(ground).run(operations);
}

class Claiming {
  readonly #ground: Replay;
  readonly #owners = new Map<number, Operation>();
  readonly #positions = new Map<number, number>();
  /** Positions of entries without a revision of their own, by revision and text. */
  readonly #silent = new Map<string, number[]>();

  constructor(ground: Replay) {
    this.#ground = ground;
    ground.entries.forEach((entry, at) => {
      if (!hasEffect(entry) || hasRevision(entry)) return;
      const name = silentName(entry.revision, entry.request);
      const positions = this.#silent.get(name);
      if (positions === undefined) this.#silent.set(name, [at + 1]);
      else positions.push(at + 1);
    });
  }

  run(operations: readonly Operation[]): Claims {
    const answered = operations.filter(isAnswered).filter((one) => !isLocalRead(one));
    const failure = this.#claimRevisions(answered) ?? this.#claimSilent(answered);
    if (failure !== undefined) return { positions: this.#positions, unclaimed: [], failure };
    const unclaimed: number[] = [];
    this.#ground.entries.forEach((entry, at) => {
      if (hasEffect(entry) && !this.#owners.has(at + 1)) unclaimed.push(at + 1);
    });
    return { positions: this.#positions, unclaimed, failure: undefined };
  }

  #claimRevisions(answered: readonly Answered[]): CheckFailure | undefined {
    for (const operation of answered) {
      const failure = madeItsRevision(operation) ? this.#claimRevision(operation) : undefined;
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  #claimSilent(answered: readonly Answered[]): CheckFailure | undefined {
    const claims = answered
      .filter(({ request }) => silentKinds.has(request.kind))
      .map((operation) => {
        const candidates = this.#candidates(operation);
        return { operation, candidates: candidates.filter((at) => this.#isDuring(operation, at)) };
      });
    const floorOf = floorsByTime(answered, (operation) => this.#seenPosition(operation));
    for (const [id, position] of matchSilent(claims, floorOf)) this.#positions.set(id, position);
    for (const { operation, candidates } of claims) {
      const matched = this.#positions.get(operation.id);
      if (matched !== undefined) this.#owners.set(matched, operation);
      // The caller that compares times finds entries that come too early.
      else if (candidates.length === 0)
        return lost(operation, "nothing of the kind was done there");
    }
    for (const { operation, candidates } of claims) {
      if (this.#positions.has(operation.id)) continue;
      const position = candidates.find((candidate) => !this.#owners.has(candidate));
      if (position === undefined) return lost(operation, "nothing of the kind was done there");
      this.#own(operation, position);
    }
    return undefined;
  }

  #candidates(operation: Answered): readonly number[] {
    const { request, outcome } = operation;
    const { revision } = outcome;
    const silent = this.#silent.get(silentName(revision, namedRequest(operation))) ?? [];
    const made = this.#ground.firstPosition(revision);
    const maker = this.#ground.entryOf(revision);
    if (request.kind !== "leaseRevoke" || made === undefined || maker === undefined) return silent;
    const isOurs = requestText(maker.request) === requestText(request) && !this.#owners.has(made);
    return isOurs ? [made, ...silent] : silent;
  }

  /**
   * True if the store may have taken the entry before this position while the operation waited, as
   * far as known.
   */
  #isDuring({ callUs, returnUs }: Operation, position: number): boolean {
    const committedUs = this.#ground.entries[position - 1]?.committedUs;
    if (committedUs === undefined) return true;
    return callUs <= committedUs && committedUs <= (returnUs ?? Number.POSITIVE_INFINITY);
  }

  /** The operation cannot be before this position. */
  #seenPosition({ id, request, outcome }: Operation): number | undefined {
    const known = this.#positions.get(id);
    // The header of a renewal comes from the member that forwarded it; that member may lag.
    if (known !== undefined || outcome.kind !== "ok" || request.kind === "leaseKeepAlive") {
      return known;
    }
    return this.#ground.firstPosition(outcome.revision);
  }

  #claimRevision(operation: Answered): CheckFailure | undefined {
    const { revision, answer } = operation.outcome;
    const entry = this.#ground.entryOf(revision);
    const position = this.#ground.firstPosition(revision);
    if (entry === undefined || position === undefined) {
      return lost(operation, "the store never came to that revision");
    }
    const owner = this.#owners.get(position);
    if (owner !== undefined) {
      const text = `${describeOperation(operation)} and ${describeOperation(owner)} both say that they made revision ${revision}`;
      return { reason: "doubled-revision", text, operations: [operation, owner] };
    }
    if (requestText(entry.request) !== requestText(operation.request)) {
      return lost(operation, `that revision was made by ${requestText(entry.request)}`);
    }
    if (entry.effect.error !== undefined || !isSameAnswer(entry.effect.answer, answer)) {
      const text = `${describeOperation(operation)} did not answer what it did`;
      return { reason: "wrong-answer", text, operations: [operation] };
    }
    this.#own(operation, position);
    return undefined;
  }

  #own(operation: Operation, position: number): void {
    this.#owners.set(position, operation);
    this.#positions.set(operation.id, position);
  }
}

function lost(operation: Operation, why: string): CheckFailure {
  const text = `${describeOperation(operation)} was acknowledged and is lost: ${why}`;
  return { reason: "lost-write", text, operations: [operation] };
}

function silentName(revision: number, request: Request): string {
  return `${revision} ${requestText(request)}`;
}

function hasRevision({ effect }: ReplayEntry): boolean {
  return effect.error === undefined && effect.events.length > 0;
}

function hasEffect(entry: ReplayEntry): boolean {
  const { effect } = entry;
  if (effect.error !== undefined) return false;
  const { granted, revoked, compacted } = effect;
  return (
    hasRevision(entry) || granted !== undefined || revoked !== undefined || compacted !== undefined
  );
}
