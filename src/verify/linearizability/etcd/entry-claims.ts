/**
 * Which entry of the ground belongs to which operation. An answer that names the revision it made
 * leaves no choice; of grants and other entries without a revision, the earliest one of that text in
 * its revision is taken, in the order of calls. What is left belongs to operations without an
 * answer, to the server (leases that end by themselves), or to nobody.
 */
import type { Operation, Outcome, Request } from "../../history/types.js";
import type { Replay, ReplayEntry } from "./replay.js";
import { requestText } from "./request-text.js";
import { isSameAnswer } from "./same-answer.js";
import { describeOperation, type Failure } from "./verdict.js";

export interface Claims {
  /** Operation id -> position after its entry. */
  readonly positions: ReadonlyMap<number, number>;
  /** Entries that nobody has claimed and that changed something, by their positions. */
  readonly unclaimed: readonly number[];
  readonly failure: Failure | undefined;
}

type Answered = Operation & { readonly outcome: Extract<Outcome, { kind: "ok" }> };

export function isLocalRead({ request }: Operation): boolean {
  return request.kind === "range" && request.serializable === true;
}

export function isAnswered(operation: Operation): operation is Answered {
  return operation.outcome.kind === "ok";
}

/** Whether the answer itself says that it made its revision. A revocation does not say. */
export function madeItsRevision({ request, outcome }: Answered): boolean {
  const { answer } = outcome;
  if (answer.kind === "put") return true;
  if (answer.kind === "delete") return answer.deleted > 0;
  if (answer.kind !== "txn" || request.kind !== "txn") return false;
  return answer.answers.some(
    (one) => one.kind === "put" || (one.kind === "delete" && one.deleted > 0),
  );
}

/** With the id that the server chose, where the answer tells. */
export function namedRequest({ request, outcome }: Operation): Request {
  if (request.kind !== "leaseGrant" || outcome.kind !== "ok") return request;
  if (outcome.answer.kind !== "lease") return request;
  return { ...request, id: outcome.answer.id, ttl: outcome.answer.ttl };
}

export function claimEntries(operations: readonly Operation[], ground: Replay): Claims {
  return new Claiming(ground).run(operations);
}

class Claiming {
  readonly #ground: Replay;
  readonly #owners = new Map<number, Operation>();
  readonly #positions = new Map<number, number>();
  /** Positions of entries without a revision of their own, by revision and text. */
  readonly #loose = new Map<string, number[]>();

  constructor(ground: Replay) {
    this.#ground = ground;
    ground.entries.forEach((entry, at) => {
      if (!hasEffect(entry) || hasRevision(entry)) return;
      const name = looseName(entry.revision, entry.request);
      const positions = this.#loose.get(name);
      if (positions === undefined) this.#loose.set(name, [at + 1]);
      else positions.push(at + 1);
    });
  }

  run(operations: readonly Operation[]): Claims {
    for (const operation of operations) {
      if (!isAnswered(operation) || isLocalRead(operation)) continue;
      const failure = this.#claim(operation);
      if (failure !== undefined) {
        return { positions: this.#positions, unclaimed: [], failure };
      }
    }
    const unclaimed: number[] = [];
    this.#ground.entries.forEach((entry, at) => {
      if (hasEffect(entry) && !this.#owners.has(at + 1)) unclaimed.push(at + 1);
    });
    return { positions: this.#positions, unclaimed, failure: undefined };
  }

  #claim(operation: Answered): Failure | undefined {
    const { request, outcome } = operation;
    if (madeItsRevision(operation)) return this.#claimRevision(operation);
    if (request.kind === "leaseRevoke" && this.#tryRevision(operation)) return undefined;
    if (!["leaseGrant", "leaseRevoke", "compact"].includes(request.kind)) return undefined;
    const positions = this.#loose.get(looseName(outcome.revision, namedRequest(operation)));
    const position = positions?.shift();
    if (position === undefined) return lost(operation, "nothing of the kind was done there");
    this.#own(operation, position);
    return undefined;
  }

  #tryRevision(operation: Answered): boolean {
    const position = this.#ground.firstPosition(operation.outcome.revision);
    const entry = this.#ground.entryOf(operation.outcome.revision);
    if (position === undefined || entry === undefined || this.#owners.has(position)) return false;
    if (requestText(entry.request) !== requestText(operation.request)) return false;
    this.#own(operation, position);
    return true;
  }

  #claimRevision(operation: Answered): Failure | undefined {
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

function lost(operation: Operation, why: string): Failure {
  const text = `${describeOperation(operation)} was acknowledged and is lost: ${why}`;
  return { reason: "lost-write", text, operations: [operation] };
}

function looseName(revision: number, request: Request): string {
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
