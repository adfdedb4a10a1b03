/**
 * Put, delete and transactions, as etcd applies them. A transaction first decides every branch,
 * nested ones included, on the state before it. Then it makes all checks that depend on the state.
 * Only then it writes. So a refused transaction changes nothing, and nested compares do not see the
 * writes before them. Work on ranges of keys pauses in between (work.ts).
 */

import { compareBytes } from "../../base/bytes.js";
import { KvError } from "../../base/errors.js";
import { toSafe } from "../../base/int64.js";
import { prevKvsTag } from "../../wire/encoded-rows.js";
import {
  type Compare,
  type PutRequest,
  type RequestOp,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  type TxnRequest,
} from "../../wire/gen/rpc.js";
import { decodeKeyValue, type KeyValueFields } from "../../wire/key-value.js";
import type { LeaseTable } from "../lease/lease-table.js";
import type { DeleteRangeOutcome, OpOutcome, PutOutcome, TxnOutcome } from "../types.js";
import type { Work } from "../work.js";
import type { AnswerRoom } from "./answer-room.js";
import { type KeyHistory, keyText } from "./key-index.js";
import type { KvView } from "./kv-view.js";
import type { KvWriter } from "./kv-writer.js";
import { evaluateRange, readRevision, scanLive } from "./range.js";
import { RangeRows } from "./range-rows.js";

type PutFields = Omit<PutRequest, "key" | "value"> & {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
};
/**
 * A decided transaction: the branch, and the decision of each nested transaction in it, in order.
 */
interface Decision {
  readonly succeeded: boolean;
  readonly ops: readonly RequestOp[];
  readonly nested: readonly Decision[];
}

/**
 * How the entry's work is divided, and what its answer may hold. Without `room` nobody waits for
 * the answer here.
 */
export interface Way {
  readonly work: Work;
  readonly room: AnswerRoom | undefined;
}

const empty = new Uint8Array(0);
const absent: KeyValueFields = {
  key: empty,
  createRevision: 0,
  modRevision: 0,
  version: 0,
  value: empty,
  lease: 0n,
};

/** Checks what a put alone needs of the state. @throws KvError leaseNotFound, keyNotFound */
export function checkPut(view: KvView, leases: LeaseTable, put: PutFields): void {
  checkLease(leases, put);
  checkKey(view, put);
}

function checkLease(leases: LeaseTable, put: PutFields): void {
  if (put.lease !== 0n && !leases.has(put.lease)) throw new KvError("leaseNotFound");
}

/** Checks that the key exists, if the put keeps its value or its lease. */
function checkKey(view: KvView, put: PutFields): void {
  if (!put.ignore_value && !put.ignore_lease) return;
  if (!view.index.get(keyText(put.key))?.isAlive()) throw new KvError("keyNotFound");
}

/** Applies a put. Call `checkPut` before. */
export function applyPut(writer: KvWriter, put: PutFields): PutOutcome {
  const needsOld = put.prev_kv || put.ignore_value || put.ignore_lease;
  const prevKv = needsOld ? writer.current(put.key) : undefined;
  let { value, lease }: { value: Uint8Array; lease: bigint } = put;
  if (prevKv !== undefined && (put.ignore_value || put.ignore_lease)) {
    const old = decodeKeyValue(prevKv);
    if (put.ignore_value) value = old.value;
    if (put.ignore_lease) lease = old.lease;
  }
  writer.put({ key: put.key, value, lease });
  return { kind: "put", prevKv: put.prev_kv ? prevKv : undefined };
}

export function* applyDelete(
  writer: KvWriter,
  request: { readonly key: Uint8Array; readonly range_end: Uint8Array; readonly prev_kv: boolean },
  { work, room }: Way,
): Generator<undefined, DeleteRangeOutcome> {
  const target = { key: request.key, rangeEnd: request.range_end };
  const isPrevWanted = request.prev_kv && room !== undefined;
  const prev = isPrevWanted ? { rows: new RangeRows(prevKvsTag), room } : undefined;
  const deleted = yield* writer.deleteRange(target, work, prev);
  const { kvs, ...many } = prev?.rows.result() ?? { kvs: [] };
  return { kind: "deleteRange", deleted, prevKvs: kvs, ...many };
}

/** True if either branch, nested ones included, has a put and so may need space. */
export function mayPut(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].some(({ request: op }) => {
    if (op?.$case === "request_txn") return mayPut(op.value);
    return op?.$case === "request_put";
  });
}

/** @throws KvError before anything is written */
export function* applyTxn(
  writer: KvWriter,
  leases: LeaseTable,
  request: TxnRequest,
  way: Way,
): Generator<undefined, TxnOutcome> {
  const decision = yield* decide(writer, request, way.work);
  checkPuts(writer, leases, decision);
  checkRanges(writer, decision);
  return yield* execute(writer, decision, way);
}

/** Evaluates a transaction of ranges only, on any view. @throws KvError */
export function* evaluateReadTxn(
  view: KvView,
  request: TxnRequest,
  way: Way,
): Generator<undefined, TxnOutcome> {
  const decision = yield* decide(view, request, way.work);
  checkRanges(view, decision);
  return yield* execute(view, decision, way);
}

function* decide(view: KvView, request: TxnRequest, work: Work): Generator<undefined, Decision> {
  let succeeded = true;
  for (const compare of request.compare) {
    succeeded =
      compare.range_end.length === 0
        ? holdsForKey(view, compare)
        : yield* holdsForAll(view, compare, work);
    if (!succeeded) break;
  }
  const ops = succeeded ? request.success : request.failure;
  const nested: Decision[] = [];
  for (const op of ops) {
    if (op.request?.$case === "request_txn") {
      nested.push(yield* decide(view, op.request.value, work));
    }
  }
  return { succeeded, ops, nested };
}

function checkPuts(view: KvView, leases: LeaseTable, decision: Decision): void {
  let nested = 0;
  for (const { request } of decision.ops) {
    if (request?.$case === "request_put") {
      // Here the checks come in the reverse order of a single put, as in etcd: clients see the
      // first error.
      checkKey(view, request.value);
      checkLease(leases, request.value);
    } else if (request?.$case === "request_txn") {
      checkPuts(view, leases, decision.nested[nested++] as Decision);
    }
  }
}

function checkRanges(view: KvView, decision: Decision): void {
  let nested = 0;
  for (const { request } of decision.ops) {
    if (request?.$case === "request_range") checkRevision(view, toSafe(request.value.revision));
    else if (request?.$case === "request_txn") {
      checkRanges(view, decision.nested[nested++] as Decision);
    }
  }
}

/**
 * Checks a revision as etcd does inside a transaction: stricter than for a single range, because a
 * negative revision is "compacted" here.
 */
function checkRevision(view: KvView, revision: number): void {
  if (revision === 0) return;
  if (revision < view.compactRevision) throw new KvError("compacted");
  readRevision(view, revision);
}

function* execute(
  view: KvView | KvWriter,
  decision: Decision,
  way: Way,
): Generator<undefined, TxnOutcome> {
  const responses: TxnOutcome["responses"][number][] = [];
  let nested = 0;
  for (const { request } of decision.ops) {
    let outcome: OpOutcome;
    switch (request?.$case) {
      case "request_range": {
        const { work, room } = way;
        // The revision was checked already. The result is only computed for an answer.
        if (room === undefined || room.isExceeded) continue;
        const { revision } = view;
        outcome = yield* evaluateRange(view, request.value, { work, room });
        responses.push({ revision, outcome });
        continue;
      }
      case "request_put":
        outcome = applyPut(view as KvWriter, request.value);
        break;
      case "request_delete_range":
        outcome = yield* applyDelete(view as KvWriter, request.value, way);
        break;
      case "request_txn":
        // etcd leaves the header of a nested transaction empty.
        outcome = yield* execute(view, decision.nested[nested++] as Decision, way);
        responses.push({ revision: 0, outcome });
        continue;
      default:
        continue;
    }
    responses.push({ revision: view.revision, outcome });
  }
  return { kind: "txn", succeeded: decision.succeeded, responses };
}

/** A missing key compares as zeros, but has no value. */
function holdsForKey(view: KvView, compare: Compare): boolean {
  const history = view.index.get(keyText(compare.key));
  const place = history?.liveAt(view.revision) ?? -1;
  if (history === undefined || place < 0) return holdsForNone(compare);
  return matches(compare, comparedFields(view, compare, { history, place }));
}

/** True if the compare holds for every key of the range. */
function* holdsForAll(view: KvView, compare: Compare, work: Work): Generator<undefined, boolean> {
  let found = false;
  let all = true;
  const target = { key: compare.key, rangeEnd: compare.range_end, revision: view.revision };
  yield* scanLive(view, target, {
    work,
    visit: (history, place) => {
      found = true;
      all = matches(compare, comparedFields(view, compare, { history, place }));
      return all ? 1 : -1;
    },
  });
  return found ? all : holdsForNone(compare);
}

function holdsForNone(compare: Compare): boolean {
  return compare.target !== Target.VALUE && matches(compare, absent);
}

/** The fields of a live key that a compare can ask for; most come from the index alone. */
function comparedFields(
  view: KvView,
  compare: Compare,
  { history, place }: { readonly history: KeyHistory; readonly place: number },
): KeyValueFields {
  const isNewest = place === history.count - 1;
  if (compare.target === Target.VALUE || compare.target === Target.LEASE || !isNewest) {
    return decodeKeyValue(view.row(history, place));
  }
  const { createRevision, version } = history;
  const { key, value, lease } = absent;
  return { key, createRevision, modRevision: history.main(place), version, value, lease };
}

function matches(compare: Compare, kv: KeyValueFields): boolean {
  const order = orderOf(compare, kv);
  switch (compare.result) {
    case Result.EQUAL:
      return order === 0;
    case Result.NOT_EQUAL:
      return order !== 0;
    case Result.GREATER:
      return order > 0;
    case Result.LESS:
      return order < 0;
    default:
      return true;
  }
}

/**
 * Compares the stored value with the wanted one. A wanted value of another target counts as zero.
 */
function orderOf(compare: Compare, kv: KeyValueFields): number {
  const union = compare.target_union;
  const wanted = (name: "version" | "create_revision" | "mod_revision"): number =>
    union?.$case === name ? toSafe(union.value) : 0;
  switch (compare.target) {
    case Target.VALUE:
      return compareBytes(kv.value, union?.$case === "value" ? union.value : empty);
    case Target.VERSION:
      return kv.version - wanted("version");
    case Target.CREATE:
      return kv.createRevision - wanted("create_revision");
    case Target.MOD:
      return kv.modRevision - wanted("mod_revision");
    case Target.LEASE: {
      const lease = union?.$case === "lease" ? union.value : 0n;
      return kv.lease === lease ? 0 : kv.lease < lease ? -1 : 1;
    }
    default:
      return 0;
  }
}
