/**
 * A transaction of ranges only, in slices, all at the revision at which it began. Entries may be
 * applied in between. An answer that becomes too large is refused before it takes memory.
 */
import { KvError } from "../../base/errors.js";
import type { TxnRequest } from "../../wire/gen/rpc.js";
import type { Job, TxnOutcome } from "../types.js";
import { Work } from "../work.js";
import { AnswerRoom } from "./answer-room.js";
import type { KvView } from "./range.js";
import { evaluateReadTxn } from "./txn.js";

export class ReadTxnJob implements Job<TxnOutcome & { readonly revision: number }> {
  readonly #view: KvView;
  readonly #compactRevision: () => number;
  readonly #work = new Work(0);
  readonly #room = AnswerRoom.ofRead();
  readonly #steps: Generator<undefined, TxnOutcome>;

  constructor(view: KvView, request: TxnRequest, compactRevision: () => number) {
    this.#view = view;
    this.#compactRevision = compactRevision;
    this.#steps = evaluateReadTxn(view, request, { work: this.#work, room: this.#room });
  }

  /** @throws KvError compacted (also for its own revision), futureRevision, answerTooLarge */
  step(units: number): (TxnOutcome & { readonly revision: number }) | undefined {
    const { revision } = this.#view;
    if (revision < this.#compactRevision()) throw new KvError("compacted");
    this.#work.refill(units);
    const step = this.#steps.next();
    if (this.#room.isExceeded) throw new KvError("answerTooLarge");
    return step.done === true ? { ...step.value, revision } : undefined;
  }
}
