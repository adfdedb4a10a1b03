/**
 * What three digests of one state say (docs/scrub.md has the table): the sum of its rows, what its
 * meta row claims, and what the machine had in memory when it was frozen. Pure.
 *
 * Rows that agree with either of the other two are right: an accident does not hit a 256-bit sum.
 * Then whichever differs is a bug of the digests, or a bit in memory. Rows that agree with neither
 * are held against the machine's tables in memory (state/audit.ts), which know no digests.
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
  /** Rows of these were bad one by one: their sums say nothing more. */
  readonly skipped: ReadonlySet<Bucket>;
}

export interface SumComparison {
  /** The whole state is another one than was saved last, or its meta row names other numbers. */
  readonly isOther: boolean;
  /** The rows agree with neither digest. */
  readonly rows: readonly BucketSums[];
  /** The rows agree with one digest and not with the other. */
  readonly digest: readonly BucketSums[];
}

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
  // With equal digests, only revision and compact revision are left to make the roots differ.
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

/** A verdict with what the witness says. */
export interface Judged {
  readonly isOther: boolean;
  /** Damaged: also the tables in memory say so. */
  readonly damaged: readonly BucketSums[];
  /** Nobody is left who could tell damage from a bug: to be taken for damage. */
  readonly undecided: readonly BucketSums[];
  /** The rows are right. */
  readonly digest: readonly BucketSums[];
}

/** `isTrusted`: the tables agreed with rows that agreed with their digests, in this life of theirs. */
export function weigh(
  { isOther, rows, digest }: SumComparison,
  witness: { readonly disagreeing: ReadonlySet<Bucket>; readonly isTrusted: boolean },
): Judged {
  const { disagreeing, isTrusted } = witness;
  const agreeing = rows.filter(({ bucket }) => !disagreeing.has(bucket));
  return {
    isOther,
    damaged: rows.filter(({ bucket }) => disagreeing.has(bucket)),
    undecided: isTrusted ? [] : agreeing,
    digest: isTrusted ? [...digest, ...agreeing] : digest,
  };
}
