/**
 * The leases as every member holds them: what was granted, and which keys are attached to which
 * lease.
 *
 * Rows (Bucket.lease) are written through the entry's WriteHandle. Attachments have no rows of
 * their own, because each key's stored KeyValue names its lease; whoever restores the key space
 * passes them to `attach`. Each command checks first and changes afterwards, so after a KvError
 * nothing has changed. There is no clock and no configuration here: the leader proposes an expiry,
 * and the proposer raises a TTL below the minimum.
 *
 * An entry may change attachments over several turns (`beginChange` to `endChange`). Until it ends,
 * readers see the attachments from before it.
 */
import { KvError } from "../../base/errors.js";
import { invariant } from "../../base/invariant.js";
import type { BackendReader } from "../../platform/backend.js";
import { Bucket } from "../../platform/rows.js";
import type { KeyRanges } from "../auth/key-ranges.js";
import { scanInSlices } from "../rows.js";
import type { Job, LeaseReader, Outcome, WriteHandle } from "../types.js";
import { runThrough, Work } from "../work.js";
import { idsJob, keysJob, type ListedLeases, type ListRefusal } from "./lease-lists.js";
import { decodeLeaseRow, encodeLeaseRow, type LeaseRow, leaseRowKey } from "./lease-row.js";
import { SortedTexts } from "./sorted-texts.js";

/** Seconds; etcd's limit, about 285 years. */
export const leaseTtlMax = 9_000_000_000;

interface Lease extends LeaseRow {
  remainingTtl: number;
  /** Grows with each key that is attached or detached. */
  changes: number;
  /** Key bytes as latin1 text, whose order is the byte order. */
  readonly keys: SortedTexts;
}

interface Changed {
  readonly attached: Set<string>;
  readonly detached: SortedTexts;
}

/** The work of passing on a key whose place is known, in units of state/work.ts. */
const keyUnits = 1 / 32;

const noKeys: readonly Uint8Array[] = [];

export class LeaseTable implements LeaseReader {
  readonly #leases = new Map<bigint, Lease>();
  /** The attached keys' leases. Readers never see this map. */
  readonly #leaseByKey = new Map<string, Lease>();
  /** The running entry's changes to each lease's keys. Undefined: no entry is changing them. */
  #changed: Map<Lease, Changed> | undefined;

  readonly #lists: ListedLeases = {
    lease: (id) => this.#leases.get(id),
    ids: () => this.#leases.keys(),
    isChanging: () => this.#changed !== undefined,
  };

  /** Forgets everything and reads the rows. Call `attach` then for every live key with a lease. */
  restore(reader: BackendReader): void {
    runThrough(this.restoreInSlices(reader, new Work(Number.POSITIVE_INFINITY)));
  }

  /** The same with pauses. */
  *restoreInSlices(reader: BackendReader, work: Work): Generator<undefined, void> {
    this.#leases.clear();
    this.#leaseByKey.clear();
    yield* scanInSlices(reader, { bucket: Bucket.lease, work }, (_key, value) => {
      const row = decodeLeaseRow(value);
      this.#leases.set(row.id, { ...row, changes: 0, keys: new SortedTexts() });
    });
  }

  /**
   * Stores a lease. `ttl` in seconds, stored as given. Errors: leaseNotFound (id 0),
   * leaseTtlTooLarge, leaseExists.
   */
  grant(w: WriteHandle, id: bigint, ttl: number): Outcome | KvError {
    if (id === 0n) return new KvError("leaseNotFound");
    if (ttl > leaseTtlMax) return new KvError("leaseTtlTooLarge");
    if (this.#leases.has(id)) return new KvError("leaseExists");
    const lease: Lease = {
      id,
      grantedTtl: ttl,
      remainingTtl: 0,
      changes: 0,
      keys: new SortedTexts(),
    };
    w.put(Bucket.lease, leaseRowKey(id), encodeLeaseRow(lease));
    this.#leases.set(id, lease);
    return { kind: "leaseGrant", id, ttl };
  }

  /**
   * The keys that a revocation must delete before it calls `revoke`: in this order (sorted
   * bytewise) and in one revision. A key is Latin-1 text. Error leaseNotFound.
   */
  *doomedKeys(id: bigint, work: Work): Generator<undefined, readonly string[] | KvError> {
    const lease = this.#leases.get(id);
    if (lease === undefined) return new KvError("leaseNotFound");
    const keys: string[] = [];
    for (const block of lease.keys.blocks) {
      for (const text of block) keys.push(text);
      if (work.spend(block.length * keyUnits)) yield;
    }
    return keys;
  }

  /**
   * Forgets a deleted key whose lease ends with the same entry. The lease's own list of keys ends
   * with the lease.
   */
  forget(text: string): void {
    this.#leaseByKey.delete(text);
  }

  /** Removes the lease. Its keys must be deleted already. */
  revoke(w: WriteHandle, id: bigint): void {
    w.delete(Bucket.lease, leaseRowKey(id));
    this.#leases.delete(id);
  }

  /** Until `endChange`, readers see the attachments of this moment. */
  beginChange(): void {
    this.#changed = new Map();
  }

  endChange(): void {
    this.#changed = undefined;
  }

  /**
   * Moves `key` to lease `id`. The lease must exist: puts are checked before they change anything.
   */
  attach(key: Uint8Array, id: bigint): void {
    const lease = this.#leases.get(id);
    invariant(lease !== undefined, "a key is attached to an unknown lease", () => ({ id }));
    const text = keyText(key);
    const before = this.#leaseByKey.get(text);
    if (before === lease) return;
    if (before !== undefined) this.#take(before, text);
    this.#note(lease, text, "attached");
    lease.keys.add(text);
    this.#leaseByKey.set(text, lease);
  }

  /** Removes the key from its lease, if it has one. */
  detach(key: Uint8Array): void {
    // Most stores have few attached keys, and this runs for every put.
    if (this.#leaseByKey.size === 0) return;
    const text = keyText(key);
    const lease = this.#leaseByKey.get(text);
    if (lease === undefined) return;
    this.#take(lease, text);
    this.#leaseByKey.delete(text);
  }

  #take(lease: Lease, text: string): void {
    this.#note(lease, text, "detached");
    lease.keys.delete(text);
  }

  /** A key that is removed and added again, or the reverse, counts as unchanged. */
  #note(lease: Lease, text: string, what: keyof Changed): void {
    lease.changes++;
    if (this.#changed === undefined) return;
    let changed = this.#changed.get(lease);
    if (changed === undefined) {
      changed = { attached: new Set(), detached: new SortedTexts() };
      this.#changed.set(lease, changed);
    }
    const { attached, detached } = changed;
    const [same, other] = what === "attached" ? [attached, detached] : [detached, attached];
    if (!other.delete(text)) same.add(text);
  }

  /** 0n: the key has no lease. */
  leaseOf(key: Uint8Array): bigint {
    if (this.#leaseByKey.size === 0) return 0n;
    return this.leaseOfText(keyText(key));
  }

  /** The same for a key as Latin-1 text. */
  leaseOfText(key: string): bigint {
    return this.#leaseByKey.get(key)?.id ?? 0n;
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  /**
   * Stores the seconds that leases had left at the leader, so that the next leader starts from
   * there. 0 means the full TTL again. Skips leases that were revoked meanwhile.
   */
  checkpoint(
    w: WriteHandle,
    checkpoints: readonly { readonly id: bigint; readonly remainingTtl: number }[],
  ): void {
    for (const { id, remainingTtl } of checkpoints) {
      const lease = this.#leases.get(id);
      if (lease === undefined) continue;
      lease.remainingTtl = remainingTtl;
      w.put(Bucket.lease, leaseRowKey(id), encodeLeaseRow(lease));
    }
  }

  get(id: bigint): LeaseRow | undefined {
    return this.#leases.get(id);
  }

  keys(id: bigint): readonly Uint8Array[] {
    const lease = this.#leases.get(id);
    if (lease === undefined) return noKeys;
    const changed = this.#changed?.get(lease);
    if (changed === undefined) return sortedKeys(lease.keys);
    const kept = [...lease.keys].filter((text) => !changed.attached.has(text));
    return sortedKeys([...kept, ...changed.detached]);
  }

  hasKeys(id: bigint): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    const changed = this.#changed?.get(lease);
    if (changed === undefined) return lease.keys.size > 0;
    return changed.detached.size > 0 || lease.keys.size > changed.attached.size;
  }

  areKeysIn(id: bigint, ranges: KeyRanges): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined) return true;
    const changed = this.#changed?.get(lease);
    if (!areIn(lease.keys, ranges, changed?.attached)) return false;
    return changed === undefined || areIn(changed.detached, ranges);
  }

  keysJob(id: bigint): Job<Uint8Array> {
    return keysJob(this.#lists, id);
  }

  idsJob(refusalOf: ListRefusal): Job<Uint8Array> {
    return idsJob(this.#lists, refusalOf);
  }

  /** In the order of the grants (after a restore: of the ids as unsigned numbers). */
  all(): Iterable<LeaseRow> {
    return this.#leases.values();
  }

  get size(): number {
    return this.#leases.size;
  }
}

/** Looks at one text for each range, and at those of `except`. */
function areIn(texts: SortedTexts, ranges: KeyRanges, except?: ReadonlySet<string>): boolean {
  let text = texts.firstFrom("");
  while (text !== undefined) {
    const range = ranges.rangeAround(text);
    if (range === undefined) {
      if (except?.has(text) !== true) return false;
      text = texts.firstFrom(`${text}\0`);
    } else if (range.end === undefined) return true;
    else text = texts.firstFrom(range.end);
  }
  return true;
}

function sortedKeys(keys: Iterable<string>): readonly Uint8Array[] {
  return [...keys].sort(byText).map((text) => Uint8Array.from(Buffer.from(text, "latin1")));
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
