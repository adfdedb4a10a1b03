/**
 * Judges three digests of one state (docs/scrub.md has the table): the sum of its rows, the digest
 * in its meta row, and the digest that the machine had in memory when the state was frozen. Pure.
 *
 * If the rows agree with one of the other two digests, the rows are right, because no accident
 * produces an equal 256-bit sum. The digest that differs is then a bug, or a flipped bit in memory.
 * If the rows agree with neither, they are compared with the machine's tables in memory
 * (state/audit.ts), which use no digests.
 */
import { equalBytes } from "../../base/bytes.js";
import type { Sha256 } from "../../platform/hash.js";
import type { Bucket } from "../../platform/rows.js";
import type { DigestSet } from "../../state/digest.js";
import { digestedBuckets, rootDigest } from "../../state/digest.js";
import type { Meta } from "../../state/meta.js";
import type { Digests } from "../../state/types.js";
import type { BucketSums } from "./finding.js";

export interface FrozenSums {
  readonly scan: DigestSet;
  readonly stored: DigestSet;
  readonly meta: Meta;
  readonly memory: Digests;
  /** Buckets with rows that failed alone. Their sums say nothing more. */
  readonly skipped: ReadonlySet<Bucket>;
}

export interface SumComparison {
  /** The whole state is not the one that was saved last, or its meta row has other numbers. */
  readonly isOther: boolean;
  /** The rows agree with neither digest. */
  readonly rows: readonly BucketSums[];
  /** The rows agree with one digest and not with the other. */
  readonly digest: readonly BucketSums[];
}

/**
 * Judges each bucket alone, in the order of `digestedBuckets`. An other state (`isOther`) is not
 * judged.
 */
export function judgeScrub(sums: FrozenSums, sha256: Sha256): SumComparison {
  const { meta, memory, stored } = sums;
  if (meta.index !== memory.index || meta.term !== memory.term) {
    return { isOther: true, rows: [], digest: [] };
  }
  const rows: BucketSums[] = [];
  const digest: BucketSums[] = [];
  let isMemoryStored = true;
  for (const bucket of digestedBuckets) {
    const each = sumsOf(bucket, sums);
    const isAsStored = equalBytes(each.scan, each.stored);
    const isAsMemory = equalBytes(each.scan, each.memory);
    if (!equalBytes(each.stored, each.memory)) isMemoryStored = false;
    if (sums.skipped.has(bucket) || (isAsStored && isAsMemory)) continue;
    if (isAsStored || isAsMemory) digest.push(each);
    else rows.push(each);
  }
  // If the digests are equal, only the revision and the compact revision can make the roots differ.
  const isOther = isMemoryStored && !equalBytes(rootDigest(stored, meta, sha256), memory.root);
  return { isOther, rows, digest };
}

function sumsOf(bucket: Bucket, { scan, stored, memory }: FrozenSums): BucketSums {
  return {
    bucket,
    scan: scan.digest(bucket),
    stored: stored.digest(bucket),
    memory: memory.buckets.get(bucket) ?? new Uint8Array(0),
  };
}

/** The verdict, together with the result of the comparison with the tables in memory. */
export interface Judged {
  readonly isOther: boolean;
  /** Damaged: the tables in memory show it, too. */
  readonly damaged: readonly BucketSums[];
  /** Nothing is left that could tell damage from a bug. It counts as damage. */
  readonly undecided: readonly BucketSums[];
  /** The rows are right. */
  readonly digest: readonly BucketSums[];
}

/**
 * `isTrusted`: since this start, the tables once agreed with rows that agreed with their digests.
 */
export function weigh(
  { isOther, rows, digest }: SumComparison,
  tables: { readonly disagreeing: ReadonlySet<Bucket>; readonly isTrusted: boolean },
): Judged {
  const { disagreeing, isTrusted } = tables;
  const agreeing = rows.filter(({ bucket }) => !disagreeing.has(bucket));
  return {
    isOther,
    damaged: rows.filter(({ bucket }) => disagreeing.has(bucket)),
    undecided: isTrusted ? [] : agreeing,
    digest: isTrusted ? [...digest, ...agreeing] : digest,
  };
}
