/**
 * Finds an order of the changes of the store, from the answers alone. It goes revision by revision.
 * An operation's answer names most revisions. For a gap the search chooses an operation without an
 * answer (or a lease that ended) that fits what later answers show. If the answers of a revision do
 * not fit the state, the search takes its last choice back. It compares the answers at a revision
 * as soon as it reaches the revision, so that it notices a wrong choice early.
 *
 * Operations that make no revision (grants, revocations of empty leases, compactions) get their
 * place in the revision that their answer names. Without an answer they get a place only when
 * another operation needs them.
 */
import type { History, Operation, Request } from "../../history/types.js";
import { misshapen } from "./answer-shape.js";
import { effectOf, readRange, refusal } from "./effect.js";
import { isAnswered, isLocalRead, madeItsRevision, namedRequest } from "./entry-claims.js";
import { HistoryEvidence } from "./evidence.js";
import { type Candidate, type CandidateOptions, GapCandidates } from "./gap-candidates.js";
import { type KnownOrder, knownOrder, plainContradiction } from "./plain-contradictions.js";
import { Replay } from "./replay.js";
import { isSameAnswer } from "./same-answer.js";
import { type CheckFailure, describeOperation } from "./verdict.js";
import { WatchSightings } from "./watch-sightings.js";

export interface OrderLimits {
  /** The most requests to examine; 10 million by default. */
  readonly stepsMax?: number;
  /** Asked every few thousand steps; true ends the search as unknown. */
  readonly isTimeUp?: () => boolean;
  /** Only orders count that agree with what watches showed, and with what they did not show. */
  readonly areWatchesBelieved?: boolean;
}

export interface FoundOrder {
  readonly order: Replay;
  /** The reason why there is no order. */
  readonly failure?: CheckFailure;
  /** How many operations were placed before the contradiction. */
  readonly placed: number;
}

type Answered = Extract<Operation["outcome"], { readonly kind: "ok" }>;
type AnsweredOperation = Operation & { readonly outcome: Answered };

const stepsMaxDefault = 10_000_000;
const pollEvery = 4_096;
/** The search does not try more orders of what happened within one revision. */
const looseOrdersMax = 5;

/**
 * Searches for an order of all operations that explains every answer. With `failure`, `order` is
 * as far as it got.
 */
export function findOrder(
  history: History,
  options: OrderLimits & { readonly expiry: "timed" | "any" },
): FoundOrder {
  const order = new Replay();
  const bad = misshapen(history.operations);
  if (bad !== undefined) return { order, failure: bad, placed: 0 };
  const known = knownOrder(history.operations);
  if (!("makers" in known)) return { order, failure: known, placed: 0 };
  const evidence = new HistoryEvidence(history);
  const plain = plainContradiction(history, evidence, known);
  if (plain !== undefined) return { order, failure: plain, placed: 0 };
  const sightings = options.areWatchesBelieved ? new WatchSightings(history.watches) : undefined;
  return new OrderSearch(history, known, { ...options, evidence, sightings }).run();
}

/** A gap with more than one explanation. */
interface Choice {
  readonly entries: number;
  readonly used: number;
  readonly left: Candidate[];
}

interface Contradiction {
  readonly revision: number;
  readonly failure: CheckFailure;
}

class OrderSearch {
  readonly #known: KnownOrder;
  readonly #options: OrderLimits & CandidateOptions;
  readonly #candidates: GapCandidates;
  readonly #replay = new Replay();
  /** Operations that made no revision of their own, by the revision of their answer. */
  readonly #loose = new Map<number, AnsweredOperation[]>();
  readonly #reads = new Map<number, AnsweredOperation[]>();
  readonly #choices: Choice[] = [];
  /** The contradiction at the latest point that the search reached. */
  #furthest: Contradiction | undefined;
  #steps = 0;
  #nextPoll = pollEvery;

  constructor(history: History, known: KnownOrder, options: OrderLimits & CandidateOptions) {
    this.#known = known;
    this.#options = options;
    this.#candidates = new GapCandidates(history.operations, known, options);
    for (const operation of history.operations) {
      if (!isAnswered(operation) || isLocalRead(operation) || madeItsRevision(operation)) continue;
      const { kind } = operation.request;
      if (kind === "leaseKeepAlive" || kind === "other") continue;
      const isLoose = kind === "leaseGrant" || kind === "leaseRevoke" || kind === "compact";
      const lists = isLoose ? this.#loose : this.#reads;
      const list = lists.get(operation.outcome.revision);
      if (list === undefined) lists.set(operation.outcome.revision, [operation]);
      else list.push(operation);
    }
    for (const list of this.#loose.values()) list.sort((a, b) => a.callUs - b.callUs);
  }

  run(): FoundOrder {
    for (;;) {
      const revision = this.#replay.revision;
      if (this.#isOver()) return this.#end("limit");
      const failure = this.#settle(revision) ?? this.#next(revision);
      if (failure === "done") return { order: this.#replay, placed: 0 };
      if (failure === undefined) continue;
      if (this.#furthest === undefined || revision >= this.#furthest.revision) {
        this.#furthest = { revision, failure };
      }
      if (!this.#takeBack()) return this.#end("no-order");
    }
  }

  /** All operations that an answer places at this revision. */
  #settle(revision: number): CheckFailure | undefined {
    this.#steps++;
    const failure = this.#readAll(revision);
    if (failure !== undefined) return failure;
    const loose = this.#loose.get(revision)?.filter((one) => !this.#candidates.isUsed(one));
    if (loose === undefined || loose.length === 0) return undefined;
    return this.#placeLoose(loose, 0);
  }

  #readAll(revision: number): CheckFailure | undefined {
    for (const operation of this.#reads.get(revision) ?? []) {
      const { request, outcome } = operation;
      if (request.kind === "range") {
        const asked = request.revision ?? 0;
        if (asked > revision) return wrong(operation, "that is after what it could know");
        const answer = readRange(this.#replay, request);
        if (!isSameAnswer(answer, outcome.answer)) return wrong(operation, "keys differ there");
        continue;
      }
      const effect = effectOf(this.#replay, request);
      if (effect.error === refusal.compacted) continue;
      const isRight = effect.error === undefined && effect.events.length === 0;
      if (!isRight || !isSameAnswer(effect.answer, outcome.answer)) {
        return wrong(operation, "the state there gives another answer");
      }
    }
    return undefined;
  }

  /** In any order that their times allow; tries the order of calls first. */
  #placeLoose(loose: readonly AnsweredOperation[], depth: number): CheckFailure | undefined {
    let failure: CheckFailure | undefined;
    for (const operation of loose) {
      const others = loose.filter((other) => other !== operation);
      if (others.some(({ returnUs }) => (returnUs ?? Infinity) < operation.callUs)) continue;
      const mark = { entries: this.#replay.entries.length, used: this.#candidates.used.length };
      const request = namedRequest(operation);
      if (this.#append(request, operation, 0)) {
        failure = others.length === 0 ? undefined : this.#placeLoose(others, depth + 1);
        if (failure === undefined) return undefined;
      } else failure = wrong(operation, "it was not possible there");
      this.#undoTo(mark);
      if (depth >= looseOrdersMax) break;
    }
    return failure;
  }

  /** The request that makes the next revision. */
  #next(revision: number): CheckFailure | "done" | undefined {
    if (revision === this.#known.last) return "done";
    const maker = this.#known.makers.get(revision + 1) as AnsweredOperation | undefined;
    if (maker !== undefined) {
      if (!this.#append(namedRequest(maker), maker, 1)) {
        return wrong(maker, "the state before it gives another answer");
      }
      const events = this.#replay.eventsAt(revision + 1);
      if (this.#options.sightings?.allows(revision + 1, events) !== false) return undefined;
      return wrong(maker, "a watch of these keys showed something else at its revision");
    }
    const candidates = this.#candidates.of(revision + 1, this.#replay);
    this.#steps += candidates.tried;
    const [first, ...left] = candidates.list;
    if (first === undefined) {
      const text = `nothing can have made revision ${revision + 1}`;
      return { reason: "no-order", text, operations: [] };
    }
    const used = this.#candidates.used.length;
    if (left.length > 0) this.#choices.push({ entries: this.#replay.entries.length, used, left });
    this.#take(first);
    return undefined;
  }

  #take({ request, operation }: Candidate): void {
    if (operation !== undefined) this.#candidates.use(operation);
    this.#replay.append(request);
  }

  /**
   * Whether the operation was possible with that answer, if necessary after unanswered operations.
   */
  #append(request: Request, operation: AnsweredOperation, revisions: 0 | 1): boolean {
    const { revision } = operation.outcome;
    let { effect } = this.#replay.append(request);
    if (effect.error !== undefined) {
      this.#replay.undo();
      const helpers = this.#candidates.helpersFor(request, effect.error, {
        revision,
        replay: this.#replay,
      });
      if (helpers.length === 0) return false;
      for (const helper of helpers) this.#take(helper);
      effect = this.#replay.append(request).effect;
    }
    if (effect.error !== undefined || effect.events.length > 0 !== (revisions === 1)) return false;
    if (!isSameAnswer(effect.answer, operation.outcome.answer)) return false;
    return this.#replay.revision === revision;
  }

  #takeBack(): boolean {
    const choice = this.#choices.pop();
    if (choice === undefined) return false;
    this.#undoTo(choice);
    const [next, ...left] = choice.left;
    if (left.length > 0) this.#choices.push({ ...choice, left });
    this.#take(next as Candidate);
    return true;
  }

  #undoTo(mark: { readonly entries: number; readonly used: number }): void {
    while (this.#replay.entries.length > mark.entries) this.#replay.undo();
    this.#candidates.freeTo(mark.used);
  }

  #isOver(): boolean {
    const { stepsMax = stepsMaxDefault, isTimeUp } = this.#options;
    if (this.#steps > stepsMax) return true;
    if (isTimeUp === undefined || this.#steps < this.#nextPoll) return false;
    this.#nextPoll = this.#steps + pollEvery;
    return isTimeUp();
  }

  #end(reason: "limit" | "no-order"): FoundOrder {
    const order = this.#replay;
    const revision = this.#furthest?.revision ?? order.revision;
    const failure = this.#furthest?.failure ?? { reason, text: "no contradiction", operations: [] };
    const text = `${failure.text} (as far as revision ${revision} the answers fit together)`;
    if (reason === "no-order") return { order, failure: { ...failure, text }, placed: revision };
    const over = { ...failure, reason, text: `the search was ended by its limit; so far: ${text}` };
    return { order, failure: over, placed: revision };
  }
}

function wrong(operation: Operation, why: string): CheckFailure {
  const text = `${describeOperation(operation)} has a wrong answer: ${why}`;
  return { reason: "wrong-answer", text, operations: [operation] };
}
