/**
 * The effect of one request on etcd's key space, as a pure function of the state that the request
 * sees. Only this file defines the semantics; the persistent model and the replay both apply what
 * it returns.
 *
 * Facts: all compares must hold; a failed check of any operation that would run refuses the whole
 * request; operations see the effects of earlier ones of the same transaction; all changes of a
 * request share one revision.
 */
import { unreachable } from "../../../base/invariant.js";
import type {
  Compare,
  HistoryRange,
  KeyValue,
  Op,
  OpAnswer,
  OperationAnswer,
  PlainAnswer,
  PlainOp,
  Request,
  TxnAnswer,
  TxnOp,
  WatchEvent,
} from "../../history/types.js";

/** Keys as they stand at one revision. */
export interface KeyView {
  get(key: string): KeyValue | undefined;
  /** In the order of keys. */
  range(range: HistoryRange): readonly KeyValue[];
}

/** Everything that a request may depend on. */
export interface StoreView extends KeyView {
  readonly revision: number;
  /** 0: never compacted. */
  readonly compactRevision: number;
  hasLease(id: string): boolean;
  /** Seconds, as granted; undefined: there is no such lease. */
  ttlOf(id: string): number | undefined;
  /** In the order of keys. */
  keysOf(lease: string): readonly string[];
  /** The keys at a revision of at least 1 and at most the current one, compacted or not. */
  at(revision: number): KeyView;
}

/** `error`: the request is refused, and there is nothing else. */
export type RequestEffect =
  | { readonly error: string }
  | {
      readonly error?: undefined;
      readonly answer: OperationAnswer;
      /** The events of the next revision; none: the revision stays the same. */
      readonly events: readonly WatchEvent[];
      readonly granted?: { readonly id: string; readonly ttl: number };
      readonly revoked?: string;
      readonly compacted?: number;
    };

/** The texts of refusals that follow from the state; etcd's, to the letter. */
export const refusal = {
  compacted: "etcdserver: mvcc: required revision has been compacted",
  future: "etcdserver: mvcc: required revision is a future revision",
  leaseNotFound: "etcdserver: requested lease not found",
  leaseExists: "etcdserver: lease already exists",
} as const;

/**
 * For a "leaseGrant" with id "0" the caller decides the granted id before; this code uses it as it
 * is.
 */
export function effectOf(view: StoreView, request: Request): RequestEffect {
  switch (request.kind) {
    case "txn":
      return transact(view, request);
    case "leaseGrant": {
      const { id, ttl } = request;
      if (view.hasLease(id)) return { error: refusal.leaseExists };
      return { answer: { kind: "lease", id, ttl }, events: [], granted: { id, ttl } };
    }
    case "leaseKeepAlive": {
      const { id } = request;
      return { answer: { kind: "lease", id, ttl: view.ttlOf(id) ?? 0 }, events: [] };
    }
    case "leaseRevoke": {
      const { id } = request;
      if (!view.hasLease(id)) return { error: refusal.leaseNotFound };
      const run = new Run(view);
      for (const key of view.keysOf(id)) run.delete(key);
      return { answer: { kind: "none" }, events: run.events(), revoked: id };
    }
    case "compact": {
      const { revision } = request;
      if (revision <= view.compactRevision) return { error: refusal.compacted };
      if (revision > view.revision) return { error: refusal.future };
      return { answer: { kind: "none" }, events: [], compacted: revision };
    }
    case "other":
      return { answer: { kind: "none" }, events: [] };
    case "range": {
      const error = refusalOf(view, request);
      return error === undefined ? { answer: readRange(view, request), events: [] } : { error };
    }
    default: {
      const error = refusalOf(view, request);
      if (error !== undefined) return { error };
      const run = new Run(view);
      const answer = run.op(request);
      return { answer, events: run.events() };
    }
  }
}

/** Which branch a transaction takes in this state. */
export function compares(view: KeyView, all: readonly Compare[]): boolean {
  return all.every((compare) => holds(view.get(compare.key), compare));
}

/** True if the key is in the range. */
export function covers(range: HistoryRange, key: string): boolean {
  if (range.end === undefined) return key === range.key;
  return key >= range.key && (range.end === "\0" || key < range.end);
}

/** The answer to a range whose revision is readable. */
export function readRange(view: StoreView, op: Extract<Op, { kind: "range" }>): PlainAnswer {
  const isOld = op.revision !== undefined && op.revision > 0;
  return shownRange(isOld ? view.at(op.revision) : view, op);
}

/** What a range shows of these keys, without its revision. */
export function shownRange(
  view: KeyView,
  op: Extract<Op, { kind: "range" }>,
): Extract<OpAnswer, { kind: "range" }> {
  const found = view.range(op);
  const count = found.length;
  if (op.countOnly === true) return { kind: "range", kvs: [], count };
  const limit = op.limit ?? 0;
  const inOrder = sorted(found, op);
  const kvs = limit > 0 && limit < count ? inOrder.slice(0, limit) : inOrder;
  if (op.keysOnly !== true) return { kind: "range", kvs, count };
  return { kind: "range", kvs: kvs.map((kv) => ({ ...kv, value: "" })), count };
}

/** `found` is in the order of keys. */
function sorted(
  found: readonly KeyValue[],
  { sortBy = "key", descending = false }: Extract<Op, { kind: "range" }>,
): readonly KeyValue[] {
  if (sortBy === "key" && !descending) return found;
  const sign = descending ? -1 : 1;
  return found.toSorted((a, b) => {
    const [left, right] = [a[sortBy], b[sortBy]];
    return left === right ? 0 : sign * (left < right ? -1 : 1);
  });
}

function transact(view: StoreView, request: TxnOp): RequestEffect {
  const decision = decide(view, request);
  const error = refusalOfAny(view, decision.ops);
  if (error !== undefined) return { error };
  const run = new Run(view);
  return { answer: run.txn(decision), events: run.events() };
}

/** A transaction whose branch is known, and those of the transactions in it. */
interface Decision {
  readonly kind: "decided";
  readonly succeeded: boolean;
  readonly ops: readonly (PlainOp | Decision)[];
}

/** All compares, nested ones too, see the store as it was before the request. */
function decide(view: KeyView, { compares: all, success, failure }: TxnOp): Decision {
  const succeeded = compares(view, all);
  const ops = (succeeded ? success : failure).map((op) =>
    op.kind === "txn" ? decide(view, op) : op,
  );
  return { kind: "decided", succeeded, ops };
}

function refusalOfAny(view: StoreView, ops: Decision["ops"]): string | undefined {
  for (const op of ops) {
    const error = op.kind === "decided" ? refusalOfAny(view, op.ops) : refusalOf(view, op);
    if (error !== undefined) return error;
  }
  return undefined;
}

function refusalOf(view: StoreView, op: PlainOp): string | undefined {
  if (op.kind === "put") {
    const isBound = op.lease !== undefined && op.lease !== "0";
    return isBound && !view.hasLease(op.lease) ? refusal.leaseNotFound : undefined;
  }
  if (op.kind !== "range" || op.revision === undefined || op.revision <= 0) return undefined;
  if (op.revision > view.revision) return refusal.future;
  return op.revision < view.compactRevision ? refusal.compacted : undefined;
}

function holds(kv: KeyValue | undefined, compare: Compare): boolean {
  const { target, result, value } = compare;
  switch (target) {
    case "value":
      // A key that does not exist has no value to compare.
      return kv !== undefined && isOrdered(kv.value, result, `${value}`);
    case "lease":
      return isOrdered(BigInt(kv?.lease ?? 0), result, BigInt(value));
    default:
      return isOrdered(kv?.[target] ?? 0, result, Number(value));
  }
}

function isOrdered<T extends string | number | bigint>(
  left: T,
  result: Compare["result"],
  right: T,
): boolean {
  switch (result) {
    case "=":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case ">":
      return left > right;
    default:
      return unreachable(result);
  }
}

/** Runs the operations of one request; each sees the effects of those before it. */
class Run {
  readonly #view: StoreView;
  readonly #mod: number;
  readonly #changed = new Map<string, WatchEvent>();

  constructor(view: StoreView) {
    this.#view = view;
    this.#mod = view.revision + 1;
  }

  /** In the order of what was done; one for each key. */
  events(): readonly WatchEvent[] {
    return this.#changed.size === 0 ? [] : [...this.#changed.values()];
  }

  txn({ succeeded, ops }: Decision): TxnAnswer {
    const answers = ops.map((op) => (op.kind === "decided" ? this.txn(op) : this.op(op)));
    return { kind: "txn", succeeded, answers };
  }

  op(op: PlainOp): PlainAnswer {
    switch (op.kind) {
      case "put":
        this.#put(op);
        return { kind: "put" };
      case "delete": {
        const doomed = this.range(op);
        for (const { key } of doomed) this.delete(key);
        return { kind: "delete", deleted: doomed.length };
      }
      case "range":
        if ((op.revision ?? 0) > 0) return readRange(this.#view, op);
        return shownRange(this, op);
      default:
        return unreachable(op);
    }
  }

  get(key: string): KeyValue | undefined {
    const event = this.#changed.get(key);
    return event === undefined ? this.#view.get(key) : keyValueOf(event);
  }

  range(range: HistoryRange): readonly KeyValue[] {
    const before = this.#view.range(range);
    if (this.#changed.size === 0) return before;
    const kept = before.filter(({ key }) => !this.#changed.has(key));
    for (const event of this.#changed.values()) {
      const kv = keyValueOf(event);
      if (kv !== undefined && covers(range, kv.key)) kept.push(kv);
    }
    return kept.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  delete(key: string): void {
    const gone = { key, value: "", create: 0, mod: this.#mod, version: 0 };
    this.#change({ type: "delete", ...gone });
  }

  #put({ key, value, lease }: Extract<Op, { kind: "put" }>): void {
    const old = this.get(key);
    const create = old?.create ?? this.#mod;
    const version = (old?.version ?? 0) + 1;
    const put = { type: "put", key, value, create, mod: this.#mod, version } as const;
    this.#change(lease === undefined || lease === "0" ? put : { ...put, lease });
  }

  #change(event: WatchEvent): void {
    const prev = this.#view.get(event.key);
    this.#changed.set(event.key, prev === undefined ? event : { ...event, prev });
  }
}

/** The key after this event; undefined: it is deleted. */
export function keyValueOf(event: WatchEvent): KeyValue | undefined {
  if (event.type === "delete") return undefined;
  const { key, value, create, mod, version, lease } = event;
  return { key, value, create, mod, version, ...(lease === undefined ? {} : { lease }) };
}
