/**
 * For tests only: the required behaviour of the key space, written as simply as possible. Keeps
 * every version of every key for ever and answers by looking at all of them. It has no indexes,
 * rows or steps. Texts are latin1.
 */
import { KvError } from "../base/errors.js";
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from "../wire/gen/rpc.js";

export interface ModelKv {
  readonly key: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly value: string;
  readonly lease: bigint;
}
/** One change; `kv` undefined: a deletion. */
export interface Version {
  readonly key: string;
  readonly main: number;
  readonly sub: number;
  readonly kv: ModelKv | undefined;
}

export class KvModel {
  revision = 1;
  compactRevision = -1;
  readonly leases = new Set<bigint>();
  versions: Version[] = [];
  /** How many changes the running command has made. */
  #changes = 0;

  /** Runs one command: all its changes get one revision. */
  run<T>(command: () => T): T {
    const result = command();
    if (this.#changes > 0) this.revision++;
    this.#changes = 0;
    return result;
  }

  /** Live keys at `revision`, sorted. */
  at(revision: number): ModelKv[] {
    const newest = new Map<string, Version>();
    for (const version of this.versions) {
      if (version.main <= revision) newest.set(version.key, version);
    }
    const alive = [...newest.values()].flatMap(({ kv }) => (kv === undefined ? [] : [kv]));
    return alive.sort((a, b) => order(a.key, b.key));
  }

  /** The rows that must be left once compaction is complete. */
  keptVersions(): Version[] {
    return this.versions.filter((version, at) => {
      if (version.main > this.compactRevision) return true;
      const isSuperseded = this.versions
        .slice(at + 1)
        .some((later) => later.key === version.key && later.main <= this.compactRevision);
      if (isSuperseded) return false;
      return version.kv !== undefined || version.main === this.compactRevision;
    });
  }

  put(request: PutRequest): object {
    if (request.lease !== 0n && !this.leases.has(request.lease)) throw new KvError("leaseNotFound");
    if (request.ignore_value || request.ignore_lease) this.#need(request.key);
    return this.#put(request);
  }

  deleteRange(request: DeleteRangeRequest): object {
    const doomed = this.#pick(this.#now(), request);
    for (const { key } of doomed) this.#push(key, undefined);
    return { kind: "deleteRange", deleted: doomed.length, prevKvs: request.prev_kv ? doomed : [] };
  }

  range(request: RangeRequest): object {
    const wanted = Number(request.revision);
    if (wanted > this.#nowRevision()) throw new KvError("futureRevision");
    if (wanted > 0 && wanted < this.compactRevision) throw new KvError("compacted");
    let kvs = this.#pick(wanted > 0 ? this.at(wanted) : this.#now(), request);
    const count = kvs.length;
    const limit = Number(request.limit);
    const isPlain =
      request.sort_order === 0 &&
      [request.min_mod_revision, request.max_mod_revision].every((bound) => bound === 0n) &&
      [request.min_create_revision, request.max_create_revision].every((bound) => bound === 0n);
    // With only a sort target, etcd cuts before it sorts.
    if (limit > 0 && isPlain) kvs = kvs.slice(0, limit + 1);
    kvs = kvs.filter((kv) => isWithin(kv, request));
    kvs = sorted(kvs, request);
    if (request.count_only) kvs = [];
    const more = limit > 0 && kvs.length > limit;
    if (more) kvs = kvs.slice(0, limit);
    if (request.keys_only) kvs = kvs.map((kv) => ({ ...kv, value: "" }));
    return { kind: "range", kvs, more, count };
  }

  txn(request: TxnRequest): object {
    const plan = this.#plan(request);
    this.#checkPuts(plan);
    this.#checkRanges(plan);
    return this.#execute(plan);
  }

  compact(revision: number): void {
    if (revision <= this.compactRevision) throw new KvError("compacted");
    if (revision > this.revision) throw new KvError("futureRevision");
    this.compactRevision = revision;
  }

  revoke(lease: bigint): void {
    if (!this.leases.delete(lease)) throw new KvError("leaseNotFound");
    for (const { key, lease: of } of this.#now()) if (of === lease) this.#push(key, undefined);
  }

  keysOf(lease: bigint): string[] {
    return this.#now()
      .filter((kv) => kv.lease === lease)
      .map((kv) => kv.key);
  }

  #nowRevision(): number {
    return this.#changes > 0 ? this.revision + 1 : this.revision;
  }

  #now(): ModelKv[] {
    return this.at(this.revision + 1);
  }

  #current(key: string): ModelKv | undefined {
    return this.#now().find((kv) => kv.key === key);
  }

  #need(key: Buffer): void {
    if (this.#current(key.toString("latin1")) === undefined) throw new KvError("keyNotFound");
  }

  #push(key: string, kv: ModelKv | undefined): void {
    this.versions.push({ key, main: this.revision + 1, sub: this.#changes++, kv });
  }

  #put(request: PutRequest): object {
    const key = request.key.toString("latin1");
    const old = this.#current(key);
    const mod = this.revision + 1;
    this.#push(key, {
      key,
      create: old?.create ?? mod,
      mod,
      version: (old?.version ?? 0) + 1,
      value:
        request.ignore_value && old !== undefined ? old.value : request.value.toString("latin1"),
      lease: request.ignore_lease && old !== undefined ? old.lease : request.lease,
    });
    return { kind: "put", prevKv: request.prev_kv ? old : undefined };
  }

  #pick(kvs: ModelKv[], request: { readonly key: Buffer; readonly range_end: Buffer }): ModelKv[] {
    const key = request.key.toString("latin1");
    const end = request.range_end.toString("latin1");
    return kvs.filter((kv) => {
      if (end === "") return kv.key === key;
      return kv.key >= key && (end === "\0" || kv.key < end);
    });
  }

  #plan(request: TxnRequest): Plan {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    const ops = (succeeded ? request.success : request.failure).map(({ request: op }) => {
      if (op === undefined) throw new Error("an empty operation is refused before");
      return op.$case === "request_txn" ? { txn: this.#plan(op.value) } : { op };
    });
    return { succeeded, ops };
  }

  #holds(compare: Compare): boolean {
    const kvs = this.#pick(this.#now(), compare);
    if (kvs.length === 0) {
      const zero = { key: "", create: 0, mod: 0, version: 0, value: "", lease: 0n };
      return compare.target !== 3 && compares(zero, compare);
    }
    return kvs.every((kv) => compares(kv, compare));
  }

  #checkPuts(plan: Plan): void {
    for (const each of plan.ops) {
      if ("txn" in each) this.#checkPuts(each.txn);
      else if (each.op.$case === "request_put") {
        const put = each.op.value;
        if (put.ignore_value || put.ignore_lease) this.#need(put.key);
        if (put.lease !== 0n && !this.leases.has(put.lease)) throw new KvError("leaseNotFound");
      }
    }
  }

  #checkRanges(plan: Plan): void {
    for (const each of plan.ops) {
      if ("txn" in each) this.#checkRanges(each.txn);
      else if (each.op.$case === "request_range") {
        const revision = Number(each.op.value.revision);
        if (revision === 0) continue;
        if (revision > this.revision) throw new KvError("futureRevision");
        if (revision < this.compactRevision) throw new KvError("compacted");
      }
    }
  }

  #execute(plan: Plan): object {
    const responses = plan.ops.map((each) => {
      if ("txn" in each) return { revision: 0, outcome: this.#execute(each.txn) };
      const { op } = each;
      let outcome: object;
      if (op.$case === "request_range") outcome = this.range(op.value);
      else if (op.$case === "request_put") outcome = this.#put(op.value);
      else outcome = this.deleteRange(op.value as DeleteRangeRequest);
      return { revision: this.#nowRevision(), outcome };
    });
    return { kind: "txn", succeeded: plan.succeeded, responses };
  }
}

type Op = NonNullable<TxnRequest["success"][number]["request"]>;
interface Plan {
  readonly succeeded: boolean;
  readonly ops: ({ readonly op: Op } | { readonly txn: Plan })[];
}

export function order<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isWithin(kv: ModelKv, request: RangeRequest): boolean {
  const { min_mod_revision, max_mod_revision, min_create_revision, max_create_revision } = request;
  if (max_mod_revision !== 0n && kv.mod > max_mod_revision) return false;
  if (min_mod_revision !== 0n && kv.mod < min_mod_revision) return false;
  if (max_create_revision !== 0n && kv.create > max_create_revision) return false;
  return min_create_revision === 0n || kv.create >= min_create_revision;
}

const sortFields = ["key", "version", "create", "mod", "value"] as const;

function sorted(kvs: ModelKv[], request: RangeRequest): ModelKv[] {
  const target = sortFields[request.sort_target as number];
  if (target === undefined) throw new Error("an unknown sort target is refused before");
  const direction = request.sort_order === 2 ? -1 : 1;
  return [...kvs].sort((a, b) => direction * order(a[target], b[target]));
}

const compareFields = [
  ["version", "version"],
  ["create", "create_revision"],
  ["mod", "mod_revision"],
  ["value", "value"],
  ["lease", "lease"],
] as const;

function compares(kv: ModelKv, compare: Compare): boolean {
  const union = compare.target_union;
  let result: number;
  if (compare.target === 3) {
    const wanted = union?.$case === "value" ? union.value.toString("latin1") : "";
    result = order(kv.value, wanted);
  } else {
    const [field, name] = compareFields[compare.target as number] as (typeof compareFields)[number];
    const wanted = union?.$case === name ? (union.value as bigint) : 0n;
    result = order(BigInt(kv[field]), wanted);
  }
  const answers = [result === 0, result > 0, result < 0, result !== 0];
  return answers[compare.result as number] as boolean;
}
