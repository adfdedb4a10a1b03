/**
 * Reads of the key space for clients, in slices between turns. The first slice runs inside the
 * call, so a small read has its answer at once. A read begins anew if another state replaces the
 * one that it reads, or if a compaction removes rows that it needs. It ends when its client leaves.
 */
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import type { Clock } from "../../platform/clock.js";
import type {
  KvReader,
  MachineReader,
  RangeOutcome,
  ReadJob,
  TxnOutcome,
} from "../../state/types.js";
import type { JobHandle, Jobs } from "../../storage/jobs.js";
import type { RangeRequest, TxnRequest } from "../../wire/gen/rpc.js";
import type { ReadAnswer, ReadClient } from "../types.js";
import type { AnswerBudget, HeldAnswer } from "./answer-budget.js";

/** Units of state/work.ts that run inside the call. */
const firstUnits = 128;
/** A read is refused if compactions made it begin anew more often than this. */
const beginningsMax = 8;

export interface ReadsParts {
  readonly jobs: Pick<Jobs, "start">;
  readonly clock: Pick<Clock, "now">;
  readonly budget: Pick<AnswerBudget, "open">;
  machine(): MachineReader;
  /** Why this member answers no client now. Undefined: it answers. */
  refusal(): KvError | undefined;
  /**
   * Calls `done` once this member's state is known to be right. An error says that it is wrong, or
   * that the answer took too long.
   */
  whenSure(done: Done<void>): void;
  /** Takes what a read threw, and returns what its client is told. */
  requestFailed(error: unknown): KvError;
}

export class Reads {
  readonly #parts: ReadsParts;

  constructor(parts: ReadsParts) {
    this.#parts = parts;
  }

  range(
    request: RangeRequest,
    client: ReadClient,
    done: Done<ReadAnswer<RangeOutcome>>,
    isPage = false,
  ): void {
    const { clock } = this.#parts;
    const begin = (kv: KvReader) => kv.readRange(request, { isPage, nowMs: clock.now() });
    new Read(this.#parts, { begin, client, done }).start();
  }

  /**
   * Counts an answer, or a part of one, that waits for its client. Calls `ended` if the client takes
   * nothing of it for too long. The caller closes it when the client has taken it or has left.
   */
  hold(bytes: number, ended: (reason: KvError) => void): HeldAnswer {
    const held = this.#parts.budget.open({ wake: () => {}, end: ended });
    held.grow(bytes);
    held.complete();
    return held;
  }

  txn(request: TxnRequest, client: ReadClient, done: Done<ReadAnswer<TxnOutcome>>): void {
    new Read(this.#parts, { begin: (kv) => kv.readTxn(request), client, done }).start();
  }
}

interface Asked<T> {
  begin(kv: KvReader): ReadJob<T>;
  readonly client: ReadClient;
  readonly done: Done<ReadAnswer<T>>;
}
type Result<T> = (T & { readonly revision: number }) | KvError;

class Read<T> {
  readonly #parts: ReadsParts;
  readonly #asked: Asked<T>;
  #machine: MachineReader | undefined;
  #job: ReadJob<T> | undefined;
  #beginnings = 0;
  #handle: JobHandle | undefined;
  #held: HeldAnswer | undefined;
  #isOver = false;
  /** Ends the sending of the answer. Set once the sending has begun. */
  #ended: (reason: KvError) => void = () => {};

  constructor(parts: ReadsParts, asked: Asked<T>) {
    this.#parts = parts;
    this.#asked = asked;
  }

  start(): void {
    const { jobs, budget } = this.#parts;
    const { client } = this.#asked;
    if (this.#step(firstUnits) === "over") return;
    client.onCancel(() => this.#cancel());
    this.#held = budget.open({
      wake: () => this.#handle?.wake(),
      end: (reason) => {
        this.#ended(reason);
        this.#finish(reason);
      },
    });
    this.#handle = jobs.start({ step: (units) => this.#step(units) }, client.connection ?? client);
  }

  #step(units: number): "more" | "wait" | "over" {
    const result = this.#tryStep(units);
    if (result !== undefined) {
      this.#finish(result);
      return "over";
    }
    return this.#held?.grow(this.#job?.bytes ?? 0) === false ? "wait" : "more";
  }

  #tryStep(units: number): Result<T> | undefined {
    const refusal = this.#parts.refusal();
    if (refusal !== undefined) return refusal;
    try {
      return this.#current().step(units);
    } catch (error) {
      return this.#parts.requestFailed(error);
    }
  }

  #current(): ReadJob<T> {
    const machine = this.#parts.machine();
    const isLost = this.#job?.isOutdated() === true && this.#beginnings < beginningsMax;
    if (this.#job === undefined || machine !== this.#machine || isLost) {
      this.#machine = machine;
      this.#job = this.#asked.begin(machine.kv);
      this.#beginnings++;
    }
    return this.#job;
  }

  #finish(result: Result<T>): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handle?.cancel();
    this.#job = undefined;
    const { done } = this.#asked;
    if (result instanceof KvError) {
      this.#held?.close();
      done(result);
      return;
    }
    this.#held?.complete();
    // A read that took several turns may have met a state that came into doubt meanwhile.
    if (this.#held === undefined) this.#answer(result);
    else this.#parts.whenSure((refusal) => this.#answer(refusal ?? result));
  }

  #answer(result: Result<T>): void {
    const held = this.#held;
    if (result instanceof KvError) {
      held?.close();
      this.#asked.done(result);
      return;
    }
    this.#asked.done({
      outcome: result,
      revision: result.revision,
      sent: (bytes) => held?.sent(bytes),
      close: () => held?.close(),
      onEnd: (fn) => {
        this.#ended = fn;
      },
    });
  }

  /** The client has left: nobody wants an answer. */
  #cancel(): void {
    this.#isOver = true;
    this.#handle?.cancel();
    this.#held?.close();
    this.#job = undefined;
  }
}
