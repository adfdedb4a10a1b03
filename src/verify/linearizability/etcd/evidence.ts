/**
 * What answers and events show about each revision besides which operation made it: which keys were
 * written there, with which values and versions, and until when a version of a key existed.
 *
 * "Hard" evidence comes from linearizable answers: an order that contradicts it is wrong. "Soft"
 * evidence (serializable reads, watches) only says what to try first.
 */
import { takenOps } from "../../history/txn-ops.js";
import type { History, KeyValue, OpAnswer, Operation } from "../../history/types.js";
import { isAnswered, isLocalRead, madeItsRevision } from "./entry-claims.js";
import { isSameKeyValue } from "./same-answer.js";

export interface Seen {
  readonly kv: KeyValue;
  /** True if no answer showed the value. */
  isBare: boolean;
  /** The last revision at which this version of the key was seen. */
  last: number;
  readonly by: Operation;
  /** Another answer showed something else under the same revision. */
  rival?: Operation;
}

/** The evidence of one history, by revision and key. */
export class HistoryEvidence {
  /** By mod revision. */
  readonly #hard = new Map<number, Map<string, Seen>>();
  /** By mod revision: the keys that changed. */
  readonly #soft = new Map<number, Set<string>>();
  /** By key: what answers showed, mod revisions ascending. */
  readonly #byKey = new Map<string, Seen[]>();
  /** By key: revisions of acknowledged puts, ascending. */
  readonly #puts = new Map<string, number[]>();
  /** An impossible revision: the keys of an answer are not from before it. */
  contradiction: Operation | undefined;

  constructor({ operations, watches }: History) {
    for (const operation of operations) this.#learn(operation);
    for (const { responses } of watches) {
      for (const { events } of responses) {
        for (const { mod, key } of events) this.#addSoft(mod, key);
      }
    }
    for (const seen of this.#hard.values()) {
      for (const one of seen.values()) push(this.#byKey, one.kv.key, one);
    }
    for (const list of this.#byKey.values()) list.sort((a, b) => a.kv.mod - b.kv.mod);
    for (const list of this.#puts.values()) list.sort((a, b) => a - b);
  }

  *all(): IterableIterator<Seen> {
    for (const list of this.#byKey.values()) yield* list;
  }

  hardAt(revision: number): ReadonlyMap<string, Seen> | undefined {
    return this.#hard.get(revision);
  }

  isSoft(revision: number, key: string): boolean {
    return this.#soft.get(revision)?.has(key) === true;
  }

  /** The newest version before this revision that an answer showed, and the oldest from it on. */
  around(
    key: string,
    revision: number,
  ): { readonly before: Seen | undefined; readonly after: Seen | undefined } {
    const list = this.#byKey.get(key) ?? [];
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((list[middle] as Seen).kv.mod < revision) low = middle + 1;
      else high = middle;
    }
    return { before: list[low - 1], after: list[low] };
  }

  /** How many acknowledged puts of the key made a revision in (from, to]. */
  putsWithin(key: string, from: number, to: number): number {
    const list = this.#puts.get(key);
    return list === undefined ? 0 : countUpTo(list, to) - countUpTo(list, from);
  }

  #learn(operation: Operation): void {
    if (!isAnswered(operation)) return;
    const { request, outcome } = operation;
    const { answer, revision } = outcome;
    if (request.kind === "put") push(this.#puts, request.key, revision);
    if (request.kind === "range" && answer.kind === "range") {
      if (isLocalRead(operation)) {
        for (const { mod, key } of answer.kvs) this.#addSoft(mod, key);
        return;
      }
      const at = (request.revision ?? 0) > 0 ? (request.revision as number) : revision;
      this.#addHard(operation, answer, { at, isBare: request.keysOnly === true });
    }
    if (request.kind !== "txn" || answer.kind !== "txn") return;
    const isWrite = madeItsRevision(operation);
    for (const [op, part] of takenOps(request, answer)) {
      if (op.kind === "put") push(this.#puts, op.key, revision);
      // Inside a transaction that writes, reads see a state between two revisions.
      if (op.kind !== "range" || part.kind !== "range" || isWrite) continue;
      const at = (op.revision ?? 0) > 0 ? (op.revision as number) : revision;
      this.#addHard(operation, part, { at, isBare: op.keysOnly === true });
    }
  }

  #addHard(
    operation: Operation,
    { kvs }: Extract<OpAnswer, { kind: "range" }>,
    { at, isBare }: { readonly at: number; readonly isBare: boolean },
  ): void {
    for (const kv of kvs) {
      if (kv.mod > at) this.contradiction ??= operation;
      let seen = this.#hard.get(kv.mod);
      if (seen === undefined) {
        seen = new Map();
        this.#hard.set(kv.mod, seen);
      }
      const known = seen.get(kv.key);
      if (known === undefined) {
        seen.set(kv.key, { kv, isBare, last: at, by: operation });
        continue;
      }
      known.last = Math.max(known.last, at);
      if (!isSameVersion(known, { kv, isBare })) known.rival = operation;
      if (known.isBare && !isBare) seen.set(kv.key, { ...known, kv, isBare });
    }
  }

  #addSoft(revision: number, key: string): void {
    const keys = this.#soft.get(revision);
    if (keys === undefined) this.#soft.set(revision, new Set([key]));
    else keys.add(key);
  }
}

function isSameVersion(
  known: Seen,
  { kv, isBare }: { readonly kv: KeyValue; readonly isBare: boolean },
): boolean {
  if (!isBare && !known.isBare) return isSameKeyValue(known.kv, kv);
  return isSameKeyValue({ ...known.kv, value: "" }, { ...kv, value: "" });
}

function push<Value>(lists: Map<string, Value[]>, name: string, value: Value): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [value]);
  else list.push(value);
}

/** How many of ascending numbers are at most `limit`. */
export function countUpTo(list: readonly number[], limit: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
