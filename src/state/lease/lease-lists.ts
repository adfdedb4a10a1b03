/**
 * Makes long lists about leases, in slices: the keys of one lease, and all leases. A list of keys
 * shows one moment. So it waits while an entry changes attachments over several turns, and begins
 * anew if the lease changed while it was read.
 *
 * The results are fields of etcd's answers, already encoded, so that a key or a lease costs no
 * object.
 */
import type { KvError } from "../../base/errors.js";
import { noBytes, writeBigVarint, writeDelimiter } from "../../wire/protobuf-writer.js";
import { leaseKeysTag } from "../../wire/time-to-live.js";
import { mergeSort, sortInSlices } from "../sort-in-slices.js";
import type { Job } from "../types.js";
import { Work } from "../work.js";

/** LeaseLeasesResponse.leases, LeaseStatus.ID. */
const leasesTag = 0x12;
const idTag = 0x08;
const idBytesMax = 10;
const lengthBytesMax = 5;
/** The units of one text or number, which costs far less than a row. */
const itemUnits = 1 / 8;
/**
 * The reading of a lease that changes meanwhile begins anew. After this many beginnings it gathers
 * the keys without a pause.
 */
const beginningsMax = 8;

export interface ListedLease {
  readonly keys: Iterable<string>;
  /** Grows with each key that is attached or detached. */
  readonly changes: number;
}

export interface ListedLeases {
  lease(id: bigint): ListedLease | undefined;
  ids(): Iterable<bigint>;
  /** True while an entry changes attachments. */
  isChanging(): boolean;
}

/** Field `keys` of LeaseTimeToLiveResponse, ascending; empty for an unknown lease. */
export function keysJob(lists: ListedLeases, id: bigint): Job<Uint8Array> {
  return inSlices((work) => listKeys(lists, id, work));
}

/** Why a lease may not be listed. Undefined: it may. */
export type ListRefusal = (id: bigint) => KvError | undefined;

/**
 * Field `leases` of LeaseLeasesResponse, ascending by id. @throws the refusal of a lease, from step
 */
export function idsJob(lists: Pick<ListedLeases, "ids">, refusalOf: ListRefusal): Job<Uint8Array> {
  return inSlices((work) => listIds(lists, refusalOf, work));
}

function inSlices(begin: (work: Work) => Generator<undefined, Uint8Array>): Job<Uint8Array> {
  const work = new Work(0);
  const steps = begin(work);
  return {
    step(units) {
      work.refill(units);
      const step = steps.next();
      return step.done === true ? step.value : undefined;
    },
  };
}

function* listKeys(lists: ListedLeases, id: bigint, work: Work): Generator<undefined, Uint8Array> {
  for (let beginnings = 1; ; beginnings++) {
    while (lists.isChanging()) yield;
    const lease = lists.lease(id);
    if (lease === undefined) return noBytes;
    const { keys, changes } = lease;
    const texts: string[] = [];
    let bytes = 0;
    for (const text of keys) {
      texts.push(text);
      bytes += 1 + lengthBytesMax + text.length;
      if (!work.spend(itemUnits) || beginnings >= beginningsMax) continue;
      yield;
      if (lease.changes !== changes) break;
    }
    if (lease.changes !== changes) continue;
    return yield* encodeKeys(yield* sortInSlices(texts, work), bytes, work);
  }
}

function* encodeKeys(
  texts: readonly string[],
  bytesMax: number,
  work: Work,
): Generator<undefined, Uint8Array> {
  const out = Buffer.allocUnsafeSlow(bytesMax);
  let at = 0;
  for (const text of texts) {
    at = writeDelimiter(out, at, leaseKeysTag, text.length);
    at += out.write(text, at, "latin1");
    if (work.spend(itemUnits)) yield;
  }
  return out.subarray(0, at);
}

function* listIds(
  lists: Pick<ListedLeases, "ids">,
  refusalOf: ListRefusal,
  work: Work,
): Generator<undefined, Uint8Array> {
  const ids: bigint[] = [];
  // A lease that begins or ends while the list is gathered may be in it or not.
  for (const id of lists.ids()) {
    const refusal = refusalOf(id);
    if (refusal !== undefined) throw refusal;
    ids.push(id);
    if (work.spend(2 * itemUnits)) yield;
  }
  const sorted = yield* mergeSort(ids, (a, b) => (a < b ? -1 : a > b ? 1 : 0), work);
  const out = new Uint8Array(sorted.length * (3 + idBytesMax));
  let at = 0;
  let last: bigint | undefined;
  for (const id of sorted) {
    // The list may have a lease twice that ended and was granted anew while it was gathered.
    if (id !== last) at = writeId(out, at, id);
    last = id;
    if (work.spend(itemUnits)) yield;
  }
  return out.subarray(0, at);
}

function writeId(out: Uint8Array, at: number, id: bigint): number {
  const body = at + 2;
  out[at] = leasesTag;
  out[body] = idTag;
  const end = writeBigVarint(out, body + 1, id);
  out[at + 1] = end - body;
  return end;
}
