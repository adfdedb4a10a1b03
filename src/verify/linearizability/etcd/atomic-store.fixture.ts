/**
 * For tests and benchmarks only: etcd's key space written as plainly as possible, one immutable
 * state per request. It shares no code with the checker's model, so that each can show an error in
 * the other.
 *
 * A state never changes: keep any of them to read the past or to fork. Each write copies the whole
 * map of keys, so the number of keys must stay small.
 */
import { unreachable } from "../../../base/invariant.js";
import type {
  Answer,
  Compare,
  KeyRange,
  KeyValue,
  Op,
  OpAnswer,
  Request,
  WatchEvent,
} from "../../history/types.js";

export interface AtomicState {
  readonly revision: number;
  /** 0: never compacted. */
  readonly compactRevision: number;
  readonly keys: ReadonlyMap<string, KeyValue>;
  /** Lease id -> granted seconds. */
  readonly leases: ReadonlyMap<string, number>;
}

export interface AtomicStep {
  readonly state: AtomicState;
  /** Text of the refusal; then `answer` is absent and the state is the same. */
  readonly error?: string;
  readonly answer?: Answer;
  /** Of the new revision, if there is one, in the order of keys. */
  readonly events: readonly WatchEvent[];
}

export const emptyAtomicState: AtomicState = {
  revision: 1,
  compactRevision: 0,
  keys: new Map(),
  leases: new Map(),
};

export const refusals = {
  compacted: "etcdserver: mvcc: required revision has been compacted",
  future: "etcdserver: mvcc: required revision is a future revision",
  noLease: "etcdserver: requested lease not found",
  leaseExists: "etcdserver: lease already exists",
};

/** The state at a revision, if it is known; the store keeps only the newest. */
export type StateLookup = (revision: number) => AtomicState | undefined;

class Refusal extends Error {}

/** For "leaseGrant" with id "0" the caller must have chosen the id already. */
export function stepAtomic(state: AtomicState, request: Request, past: StateLookup): AtomicStep {
  try {
    return new Command(state, past).run(request);
  } catch (error) {
    if (error instanceof Refusal) return { state, error: error.message, events: [] };
    throw error;
  }
}

class Command {
  readonly #before: AtomicState;
  readonly #past: StateLookup;
  readonly #keys: Map<string, KeyValue>;
  readonly #leases: Map<string, number>;
  readonly #events = new Map<string, WatchEvent>();
  #compactRevision: number;

  constructor(before: AtomicState, past: StateLookup) {
    this.#before = before;
    this.#past = past;
    this.#keys = new Map(before.keys);
    this.#leases = new Map(before.leases);
    this.#compactRevision = before.compactRevision;
  }

  run(request: Request): AtomicStep {
    const answer = this.#answer(request);
    const hasEvents = this.#events.size > 0;
    const changed = hasEvents || request.kind === "compact" || request.kind.startsWith("lease");
    if (!changed) return { state: this.#before, answer, events: [] };
    const state = {
      revision: this.#before.revision + (hasEvents ? 1 : 0),
      compactRevision: this.#compactRevision,
      keys: this.#keys,
      leases: this.#leases,
    };
    const events = [...this.#events.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return { state, answer, events };
  }

  #answer(request: Request): Answer {
    switch (request.kind) {
      case "txn": {
        const succeeded = request.compares.every((compare) => this.#holds(compare));
        const ops = succeeded ? request.success : request.failure;
        for (const op of ops) this.#refuse(op);
        return { kind: "txn", succeeded, answers: ops.map((op) => this.#op(op)) };
      }
      case "leaseGrant": {
        if (this.#leases.has(request.id)) throw new Refusal(refusals.leaseExists);
        this.#leases.set(request.id, request.ttl);
        return { kind: "lease", id: request.id, ttl: request.ttl };
      }
      case "leaseKeepAlive":
        return { kind: "lease", id: request.id, ttl: this.#leases.get(request.id) ?? 0 };
      case "leaseRevoke": {
        if (!this.#leases.delete(request.id)) throw new Refusal(refusals.noLease);
        const attached = [...this.#keys.values()].filter(({ lease }) => lease === request.id);
        for (const { key } of attached) this.#delete(key);
        return { kind: "none" };
      }
      case "compact":
        if (request.revision <= this.#compactRevision) throw new Refusal(refusals.compacted);
        if (request.revision > this.#before.revision) throw new Refusal(refusals.future);
        this.#compactRevision = request.revision;
        return { kind: "none" };
      case "other":
        return { kind: "none" };
      default:
        this.#refuse(request);
        return this.#op(request);
    }
  }

  /** Checks all of a request before it does any of it. */
  #refuse(op: Op): void {
    if (op.kind === "put" && op.lease !== undefined && !this.#leases.has(op.lease)) {
      throw new Refusal(refusals.noLease);
    }
    if (op.kind !== "range" || op.revision === undefined || op.revision <= 0) return;
    if (op.revision > this.#before.revision) throw new Refusal(refusals.future);
    if (op.revision < this.#compactRevision) throw new Refusal(refusals.compacted);
  }

  #op(op: Op): OpAnswer {
    switch (op.kind) {
      case "range": {
        const isOld = op.revision !== undefined && op.revision > 0;
        const keys = isOld ? this.#past(op.revision)?.keys : this.#keys;
        if (keys === undefined) throw new Error(`the state at ${op.revision} was not kept`);
        return rangeOf(keys, op);
      }
      case "put":
        this.#put(op);
        return { kind: "put" };
      case "delete": {
        const doomed = [...this.#keys.keys()].filter((key) => isWithin(op, key));
        for (const key of doomed) this.#delete(key);
        return { kind: "delete", deleted: doomed.length };
      }
      default:
        return unreachable(op);
    }
  }

  #put(op: Extract<Op, { kind: "put" }>): void {
    const mod = this.#before.revision + 1;
    const old = this.#keys.get(op.key);
    const kv = {
      key: op.key,
      value: op.value,
      create: old?.create ?? mod,
      mod,
      version: (old?.version ?? 0) + 1,
      ...(op.lease === undefined ? {} : { lease: op.lease }),
    };
    this.#keys.set(op.key, kv);
    const prev = this.#before.keys.get(op.key);
    this.#events.set(op.key, { type: "put", ...kv, ...(prev === undefined ? {} : { prev }) });
  }

  #delete(key: string): void {
    this.#keys.delete(key);
    const prev = this.#before.keys.get(key);
    const gone = { key, value: "", create: 0, mod: this.#before.revision + 1, version: 0 };
    this.#events.set(key, { type: "delete", ...gone, ...(prev === undefined ? {} : { prev }) });
  }

  #holds(compare: Compare): boolean {
    const kv = this.#keys.get(compare.key);
    const { target } = compare;
    if (target === "value") {
      return kv !== undefined && isOrdered(kv.value, compare.result, `${compare.value}`);
    }
    const actual = target === "lease" ? BigInt(kv?.lease ?? 0) : BigInt(kv?.[target] ?? 0);
    return isOrdered(actual, compare.result, BigInt(compare.value));
  }
}

function isOrdered<T extends string | bigint>(a: T, result: Compare["result"], b: T): boolean {
  switch (result) {
    case "=":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case ">":
      return a > b;
    default:
      return unreachable(result);
  }
}

export function isWithin(range: KeyRange, key: string): boolean {
  if (range.end === undefined) return key === range.key;
  return key >= range.key && (range.end === "\0" || key < range.end);
}

function rangeOf(
  keys: ReadonlyMap<string, KeyValue>,
  op: Extract<Op, { kind: "range" }>,
): OpAnswer {
  const found = [...keys.values()].filter(({ key }) => isWithin(op, key));
  found.sort((a, b) => (a.key < b.key ? -1 : 1));
  const field = op.sortBy ?? "key";
  // Insertion sort, so that equal elements stay in the order of keys.
  for (let from = 1; from < found.length; from++) {
    const kv = found[from] as KeyValue;
    let at = from;
    for (; at > 0; at--) {
      const before = found[at - 1] as KeyValue;
      if (op.descending === true ? before[field] >= kv[field] : before[field] <= kv[field]) break;
      found[at] = before;
    }
    found[at] = kv;
  }
  const limit = op.limit === undefined || op.limit === 0 ? found.length : op.limit;
  const shown = op.countOnly === true ? [] : found.slice(0, limit);
  const kvs = op.keysOnly === true ? shown.map((kv) => ({ ...kv, value: "" })) : shown;
  return { kind: "range", kvs, count: found.length };
}
