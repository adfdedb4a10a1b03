/**
 * etcd's rule against two writes of one key in a transaction: two puts of it, or a put inside a
 * deleted range. Deletes may overlap each other, and so may the two branches of one nested
 * transaction.
 *
 * The check walks in etcd's order, because the order decides which transactions pass: deletes of
 * this level, then nested transactions one after the other, then puts of this level. As in etcd, it
 * does not see a delete of everything from a key on: the end of that range, a zero byte, sorts
 * before the key.
 */
import { KvError } from "../../base/errors.js";
import type { RequestOp, TxnRequest } from "../../wire/gen/rpc.js";

/**
 * Disjoint ranges [from, to), ascending. Keys are text of one char a byte, which sorts as the bytes
 * do.
 */
interface Span {
  readonly from: string;
  readonly to: string;
}
interface Writes {
  readonly puts: Set<string>;
  readonly deletes: readonly Span[];
}

const nothing: Writes = { puts: new Set(), deletes: [] };

export function overlapFault(request: TxnRequest): KvError | undefined {
  const isClean =
    writesOf(request.success) !== undefined && writesOf(request.failure) !== undefined;
  return isClean ? undefined : new KvError("duplicateKey");
}

/** The writes of one level. Undefined: two of them overlap. */
function writesOf(ops: readonly RequestOp[]): Writes | undefined {
  if (ops.length === 0) return nothing;
  const puts = new Set<string>();
  let deletes = merged(ops.flatMap(deletedSpan));
  for (const { request } of ops) {
    if (request?.$case !== "request_txn") continue;
    const success = writesOf(request.value.success);
    const failure = success === undefined ? undefined : writesOf(request.value.failure);
    if (success === undefined || failure === undefined) return undefined;
    for (const branch of [success, failure]) {
      for (const key of branch.puts) {
        // Only one of the branches runs.
        const isOther = branch === failure && success.puts.has(key);
        if ((puts.has(key) && !isOther) || covers(deletes, key)) return undefined;
        puts.add(key);
      }
    }
    if (success.deletes.length + failure.deletes.length > 0) {
      deletes = merged([...deletes, ...success.deletes, ...failure.deletes]);
    }
  }
  for (const { request } of ops) {
    if (request?.$case !== "request_put") continue;
    const key = textOf(request.value.key);
    if (puts.has(key) || covers(deletes, key)) return undefined;
    puts.add(key);
  }
  return { puts, deletes };
}

function deletedSpan({ request }: RequestOp): Span[] {
  if (request?.$case !== "request_delete_range") return [];
  const from = textOf(request.value.key);
  const end = textOf(request.value.range_end);
  const to = end === "" ? `${from}\0` : end;
  return from < to ? [{ from, to }] : [];
}

function merged(spans: readonly Span[]): readonly Span[] {
  if (spans.length < 2) return spans;
  const sorted = [...spans].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const result: Span[] = [];
  for (const span of sorted) {
    const last = result.at(-1);
    if (last === undefined || span.from > last.to) result.push(span);
    else if (span.to > last.to) result[result.length - 1] = { from: last.from, to: span.to };
  }
  return result;
}

function covers(spans: readonly Span[], key: string): boolean {
  let low = 0;
  let high = spans.length;
  // The first span that begins after the key.
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((spans[middle] as Span).from <= key) low = middle + 1;
    else high = middle;
  }
  return low > 0 && key < (spans[low - 1] as Span).to;
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
