/**
 * Digests of the replicated rows (docs/digest.md). A bucket's digest is the sum modulo 2^256 of the
 * SHA-256 of its rows: order does not matter, so adding and removing a row each cost one hash, and
 * a full scan gives the same value. The sum of hashes of distinct rows is collision resistant for
 * this size (AdHash, Bellare and Micciancio 1997); the key in each hash keeps rows distinct.
 */
import { type BackendReader, Bucket } from "../platform/backend.js";
import type { Sha256 } from "../platform/hash.js";
import { RowReader } from "./rows.js";
import type { BucketDigest } from "./types.js";

export const digestVersion = 1;
export const digestBytes = 32;
/** Every bucket whose rows are replicated; meta is covered by the root. */
export const digestedBuckets: readonly Bucket[] = [
  Bucket.key,
  Bucket.lease,
  Bucket.alarm,
  Bucket.members,
  Bucket.membersRemoved,
  Bucket.cluster,
];
const domain = new TextEncoder().encode("lockstep/row/1");
const rootDomain = new TextEncoder().encode("lockstep/root/1");
const limbs = digestBytes / 4;

/** The running digests of all buckets. */
export class DigestSet {
  readonly #sha256: Sha256;
  readonly #sums = new Map<Bucket, Uint32Array>();
  #scratch = new Uint8Array(4096);

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
    for (const bucket of digestedBuckets) this.#sums.set(bucket, new Uint32Array(limbs));
  }

  add(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    const sum = this.#sums.get(bucket);
    if (sum === undefined) return;
    const hash = this.#hash(bucket, key, value);
    let carry = 0;
    for (let limb = 0; limb < limbs; limb++) {
      const total = (sum[limb] as number) + word(hash, limb) + carry;
      sum[limb] = total;
      carry = total > 0xffff_ffff ? 1 : 0;
    }
  }

  subtract(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    const sum = this.#sums.get(bucket);
    if (sum === undefined) return;
    const hash = this.#hash(bucket, key, value);
    let borrow = 0;
    for (let limb = 0; limb < limbs; limb++) {
      const total = (sum[limb] as number) - word(hash, limb) - borrow;
      sum[limb] = total;
      borrow = total < 0 ? 1 : 0;
    }
  }

  digest(bucket: Bucket): BucketDigest {
    const bytes = new Uint8Array(digestBytes);
    const sum = this.#sums.get(bucket);
    if (sum !== undefined) this.#write(sum, bytes, 0);
    return bytes;
  }

  /** All digests in the order of `digestedBuckets`, at `at`. Returns the end. */
  writeTo(bytes: Uint8Array, at: number): number {
    let end = at;
    for (const bucket of digestedBuckets) {
      this.#write(this.#sums.get(bucket) as Uint32Array, bytes, end);
      end += digestBytes;
    }
    return end;
  }

  readFrom(bytes: Uint8Array, at: number): void {
    let from = at;
    for (const bucket of digestedBuckets) {
      const sum = this.#sums.get(bucket) as Uint32Array;
      const part = bytes.subarray(from, from + digestBytes);
      for (let limb = 0; limb < limbs; limb++) sum[limb] = word(part, limb);
      from += digestBytes;
    }
  }

  #write(sum: Uint32Array, bytes: Uint8Array, at: number): void {
    for (let limb = 0; limb < limbs; limb++) {
      const value = sum[limb] as number;
      bytes[at + 4 * limb] = value;
      bytes[at + 4 * limb + 1] = value >>> 8;
      bytes[at + 4 * limb + 2] = value >>> 16;
      bytes[at + 4 * limb + 3] = value >>> 24;
    }
  }

  /** SHA-256(domain, bucket id, key length u32, key, value length u32, value). */
  #hash(bucket: Bucket, key: Uint8Array, value: Uint8Array): Uint8Array {
    const size = domain.length + 9 + key.length + value.length;
    if (size > this.#scratch.length) this.#scratch = new Uint8Array(size * 2);
    const bytes = this.#scratch;
    bytes.set(domain);
    let at = domain.length;
    bytes[at++] = bucket;
    at = writeLengthed(bytes, at, key);
    at = writeLengthed(bytes, at, value);
    return this.#sha256(bytes.subarray(0, at));
  }
}

/** Recomputes the digests from the rows: what the incremental ones must equal. */
export function scanDigests(
  backend: BackendReader,
  sha256: Sha256,
): ReadonlyMap<Bucket, BucketDigest> {
  const digests = new DigestSet(sha256);
  const rows = new RowReader(backend);
  const from = new Uint8Array(0);
  const result = new Map<Bucket, BucketDigest>();
  for (const bucket of digestedBuckets) {
    rows.scan(bucket, { from }, (key, value) => {
      digests.add(bucket, key, value);
      return true;
    });
    result.set(bucket, digests.digest(bucket));
  }
  return result;
}

/** What a root covers beside the bucket digests. */
export interface RootFields {
  readonly index: number;
  readonly term: number;
  readonly revision: number;
  readonly compactRevision: number;
}

export function rootDigest(digests: DigestSet, fields: RootFields, sha256: Sha256): Uint8Array {
  const bytes = new Uint8Array(
    rootDomain.length + 4 + 4 * 8 + digestedBuckets.length * digestBytes,
  );
  bytes.set(rootDomain);
  const view = new DataView(bytes.buffer);
  let at = rootDomain.length;
  view.setUint32(at, digestVersion, true);
  at += 4;
  for (const value of [fields.index, fields.term, fields.revision, fields.compactRevision]) {
    view.setBigUint64(at, BigInt(value), true);
    at += 8;
  }
  digests.writeTo(bytes, at);
  return sha256(bytes);
}

function writeLengthed(bytes: Uint8Array, from: number, part: Uint8Array): number {
  bytes[from] = part.length;
  bytes[from + 1] = part.length >>> 8;
  bytes[from + 2] = part.length >>> 16;
  bytes[from + 3] = part.length >>> 24;
  bytes.set(part, from + 4);
  return from + 4 + part.length;
}

function word(bytes: Uint8Array, limb: number): number {
  const at = 4 * limb;
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}
