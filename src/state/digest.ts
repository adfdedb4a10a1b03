/**
 * Digests of the replicated rows (docs/digest.md). A bucket's digest is the sum modulo 2^256 of the
 * SHA-256 of its rows: order does not matter, so adding and removing a row each cost one hash, and
 * a full scan gives the same value. The sum of hashes of distinct rows is collision resistant for
 * this size (AdHash, Bellare and Micciancio 1997); the key in each hash keeps rows distinct.
 */
import { copyBytes, equalBytes } from "../base/bytes.js";
import type { BackendReader } from "../platform/backend.js";
import type { Sha256 } from "../platform/hash.js";
import { Bucket } from "../platform/rows.js";
import { fingerprintBytes } from "./fingerprint.js";
import { RowReader, scanInSlices } from "./rows.js";
import type { BucketDigest } from "./types.js";
import { runThrough, Work } from "./work.js";

/** Version 2 covers users and roles, too. The rules for all other rows are those of version 1. */
export const digestVersion = 2;
export const digestBytes = 32;
/** Every bucket whose rows are replicated, in the order of docs/digest.md. The root covers meta. */
export const digestedBuckets: readonly Bucket[] = [
  Bucket.key,
  Bucket.lease,
  Bucket.alarm,
  Bucket.members,
  Bucket.membersRemoved,
  Bucket.cluster,
  Bucket.auth,
  Bucket.authUsers,
  Bucket.authRoles,
];
export const digestSetBytes: number = digestBytes * digestedBuckets.length;
/** Bytes of the digests of version 1. It has the first six; those of users and roles are 0. */
export const digestSetBytes1: number = digestBytes * 6;
const domain = new TextEncoder().encode("lockstep/row/1");
const rootDomain = new TextEncoder().encode("lockstep/root/1");

/** The running digests of all buckets. */
export class DigestSet {
  readonly #sha256: Sha256;
  /** The sums, each 32 bytes little-endian, in the order of `digestedBuckets`. */
  readonly #sums = new Uint8Array(digestSetBytes);
  /** The low bytes of the sum over all rows of all buckets. */
  readonly #total = new Uint8Array(fingerprintBytes);
  /** The input of the hash; begins with the domain. */
  #scratch = scratchOf(4096);
  readonly #rowHash = new Uint8Array(digestBytes);

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  /** Takes over all sums of another set. */
  copyFrom(other: DigestSet): void {
    this.#sums.set(other.#sums);
    this.#total.set(other.#total);
  }

  /** Adds a row to its bucket's digest. Does nothing for a bucket that is not digested. */
  add(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    const start = digestedBuckets.indexOf(bucket) * digestBytes;
    if (start < 0) return;
    const sums = this.#sums;
    const hash = this.#hash(bucket, key, value);
    let carry = 0;
    for (let at = 0; at < digestBytes; at++) {
      carry += (sums[start + at] as number) + (hash[at] as number);
      sums[start + at] = carry;
      carry >>= 8;
    }
    addTo(this.#total, hash, 0);
  }

  /** Takes a row out of its bucket's digest: the opposite of `add`. */
  subtract(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    const start = digestedBuckets.indexOf(bucket) * digestBytes;
    if (start < 0) return;
    const sums = this.#sums;
    const hash = this.#hash(bucket, key, value);
    let borrow = 0;
    for (let at = 0; at < digestBytes; at++) {
      borrow += (sums[start + at] as number) - (hash[at] as number);
      sums[start + at] = borrow;
      borrow >>= 8;
    }
    borrow = 0;
    const total = this.#total;
    for (let at = 0; at < fingerprintBytes; at++) {
      borrow += (total[at] as number) - (hash[at] as number);
      total[at] = borrow;
      borrow >>= 8;
    }
  }

  digest(bucket: Bucket): BucketDigest {
    const start = digestedBuckets.indexOf(bucket) * digestBytes;
    return this.#sums.slice(start, start + digestBytes);
  }

  /** All digests in the order of `digestedBuckets`, at `at`: `digestSetBytes` bytes. */
  writeTo(bytes: Uint8Array, at: number): void {
    bytes.set(this.#sums, at);
  }

  /** Reads what `writeTo` wrote, or that of version 1: all bytes from `at` to the end. */
  readFrom(bytes: Uint8Array, at: number): void {
    this.#sums.fill(0);
    this.#sums.set(bytes.subarray(at));
    this.#total.fill(0);
    for (let start = 0; start < digestSetBytes; start += digestBytes) {
      addTo(this.#total, this.#sums, start);
    }
  }

  /**
   * Writes the sum over all rows of all buckets: `fingerprintBytes` bytes at `at`. It is small
   * enough to be sent with each message. A row's hash covers its bucket, so this sum is as good as
   * any bucket's.
   */
  writeFingerprint(bytes: Uint8Array, at: number): void {
    bytes.set(this.#total, at);
  }

  /**
   * SHA-256(domain, bucket id, key length u32, key, value length u32, value). The result is valid
   * until the next call.
   */
  #hash(bucket: Bucket, key: Uint8Array, value: Uint8Array): Uint8Array {
    const size = domain.length + 9 + key.length + value.length;
    if (size > this.#scratch.length) this.#scratch = scratchOf(size * 2);
    const bytes = this.#scratch;
    let at = domain.length;
    bytes[at++] = bucket;
    at = writeLengthed(bytes, at, key);
    at = writeLengthed(bytes, at, value);
    return this.#sha256(bytes.subarray(0, at), this.#rowHash);
  }
}

/**
 * Recomputes the digests from the rows. The incremental ones must equal them. @throws DamageError
 */
export function scanDigests(
  backend: BackendReader,
  sha256: Sha256,
): ReadonlyMap<Bucket, BucketDigest> {
  return runThrough(scanDigestsInSlices(backend, sha256, new Work(Number.POSITIVE_INFINITY)));
}

/** The same with pauses, in which the rows must not change. @throws DamageError */
export function* scanDigestsInSlices(
  backend: BackendReader,
  sha256: Sha256,
  work: Work,
): Generator<undefined, ReadonlyMap<Bucket, BucketDigest>> {
  const digests = new DigestSet(sha256);
  const rows = new RowReader(backend);
  for (const bucket of digestedBuckets) {
    yield* scanInSlices(rows, { bucket, work }, (key, value) => digests.add(bucket, key, value));
  }
  return new Map(digestedBuckets.map((bucket) => [bucket, digests.digest(bucket)]));
}

const stepBytesMax = 1024 * 1024;

/** Recomputes the digests from the rows, piece by piece. */
export class DigestScan {
  readonly digests: DigestSet;
  readonly #rows: RowReader;
  #bucket = 0;
  /** The last key that was read in the bucket. */
  #last: Uint8Array | undefined;

  constructor(backend: BackendReader, sha256: Sha256) {
    this.digests = new DigestSet(sha256);
    this.#rows = new RowReader(backend);
  }

  /**
   * Reads up to `rowsMax` rows, or some MiB of them. Returns true when all rows are read. @throws
   * DamageError
   */
  step(rowsMax: number): boolean {
    const bucket = digestedBuckets[this.#bucket];
    if (bucket === undefined) return true;
    let left = rowsMax;
    let bytesLeft = stepBytesMax;
    let isOver = true;
    const last = this.#last;
    this.#rows.scan(bucket, { from: last ?? new Uint8Array(0), isLent: true }, (key, value) => {
      if (last !== undefined && equalBytes(key, last)) return true;
      this.digests.add(bucket, key, value);
      left--;
      bytesLeft -= value.length;
      isOver = left > 0 && bytesLeft > 0;
      if (!isOver) this.#last = copyBytes(key);
      return isOver;
    });
    if (isOver) {
      this.#bucket++;
      this.#last = undefined;
    }
    return this.#bucket >= digestedBuckets.length;
  }
}

/** What a root digest covers beside the bucket digests. */
export interface RootFields {
  readonly index: number;
  readonly term: number;
  readonly revision: number;
  readonly compactRevision: number;
  readonly logChain: number;
}

/** SHA-256(root domain, digest version u32, the fields as i64 in order, the digests). */
export function rootDigest(digests: DigestSet, fields: RootFields, sha256: Sha256): Uint8Array {
  const bytes = new Uint8Array(rootDomain.length + 4 + 5 * 8 + digestSetBytes);
  bytes.set(rootDomain);
  const view = new DataView(bytes.buffer);
  let at = rootDomain.length;
  view.setUint32(at, digestVersion, true);
  at += 4;
  const { index, term, revision, compactRevision, logChain } = fields;
  for (const value of [index, term, revision, compactRevision, logChain]) {
    view.setBigInt64(at, BigInt(value), true);
    at += 8;
  }
  digests.writeTo(bytes, at);
  return sha256(bytes);
}

/**
 * Adds the low bytes of the number that begins at `from` in `hash`. Both numbers are little-endian.
 */
function addTo(total: Uint8Array, hash: Uint8Array, from: number): void {
  let carry = 0;
  for (let at = 0; at < fingerprintBytes; at++) {
    carry += (total[at] as number) + (hash[from + at] as number);
    total[at] = carry;
    carry >>= 8;
  }
}

function scratchOf(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(domain);
  return bytes;
}

function writeLengthed(bytes: Uint8Array, from: number, part: Uint8Array): number {
  bytes[from] = part.length;
  bytes[from + 1] = part.length >>> 8;
  bytes[from + 2] = part.length >>> 16;
  bytes[from + 3] = part.length >>> 24;
  bytes.set(part, from + 4);
  return from + 4 + part.length;
}
