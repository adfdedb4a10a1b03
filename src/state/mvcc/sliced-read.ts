/**
 * A range, or a transaction of ranges only, in slices, all at the revision at which it began.
 * Entries may be applied in between. An answer that becomes too large is refused before it takes
 * memory.
 */
import { KvError } from "../../base/errors.js";
import { toSafe } from "../../base/int64.js";
import type { RangeRequest, TxnRequest } from "../../wire/gen/rpc.js";
import type { RangeOutcome, ReadJob, TxnOutcome } from "../types.js";
import { Work } from "../work.js";
import { AnswerRoom } from "./answer-room.js";
import type { KvView } from "./kv-view.js";
import { evaluateRange } from "./range.js";
import { evaluateReadTxn } from "./txn.js";

/** A read whose state is not chosen yet. */
export interface ReadAtView<T> {
  /** The revisions that the request names; 0 or less: the current one. */
  readonly revisions: readonly number[];
  run(
    view: KvView,
    way: { readonly work: Work; readonly room: AnswerRoom },
  ): Generator<undefined, T>;
}

export function rangeReader(request: RangeRequest, isPage: boolean): ReadAtView<RangeOutcome> {
  const revisions = [toSafe(request.revision)];
  return { revisions, run: (view, way) => evaluateRange(view, request, { ...way, isPage }) };
}

export function txnReader(request: TxnRequest): ReadAtView<TxnOutcome> {
  const revisions = revisionsOf(request);
  return { revisions, run: (view, way) => evaluateReadTxn(view, request, way) };
}

function revisionsOf(request: TxnRequest): number[] {
  return [...request.success, ...request.failure].flatMap(({ request: op }) => {
    if (op?.$case === "request_range") return [toSafe(op.value.revision)];
    return op?.$case === "request_txn" ? revisionsOf(op.value) : [];
  });
}

export class SlicedRead<T extends RangeOutcome | TxnOutcome> implements ReadJob<T> {
  readonly #revision: number;
  /** All rows of the read are there as long as the compact revision is not above this one. */
  readonly #oldest: number;
  readonly #compactRevision: () => number;
  readonly #compactedAtFirst: number;
  readonly #work = new Work(0);
  readonly #room = AnswerRoom.ofRead();
  readonly #steps: Generator<undefined, T>;

  constructor(view: KvView, read: ReadAtView<T>, compactRevision: () => number) {
    this.#revision = view.revision;
    this.#oldest = Math.min(view.revision, ...read.revisions.filter((named) => named > 0));
    this.#compactRevision = compactRevision;
    this.#compactedAtFirst = compactRevision();
    this.#steps = read.run(view, { work: this.#work, room: this.#room });
  }

  get bytes(): number {
    return this.#room.taken;
  }

  isOutdated(): boolean {
    const now = this.#compactRevision();
    return now !== this.#compactedAtFirst && this.#oldest < now;
  }

  step(units: number): (T & { readonly revision: number }) | undefined {
    if (this.isOutdated()) throw new KvError("compacted");
    this.#work.refill(units);
    const step = this.#steps.next();
    if (this.#room.isExceeded) throw new KvError("answerTooLarge");
    return step.done === true ? { revision: this.#revision, ...step.value } : undefined;
  }
}
