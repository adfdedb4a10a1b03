/** What a scrub can find; the monitor and the operator get it. */
import type { Bucket } from "../../platform/rows.js";
import type { BucketDigest } from "../../state/types.js";

/** Three digests of one bucket at one applied index. docs/scrub.md says how they are judged. */
export interface BucketSums {
  readonly bucket: Bucket;
  /** Summed from the rows. */
  readonly scan: BucketDigest;
  /** The digest in the meta row beside the rows. */
  readonly stored: BucketDigest;
  /** The digest in the machine's memory when that state was frozen. */
  readonly memory: BucketDigest;
}

/**
 * One damage that a scrub found. `index`: the applied index of the state that was read; `what`: a
 * sentence for people.
 */
export type ScrubFinding =
  /** A row's check value fails, or a row is out of order. This includes the meta row. */
  | {
      readonly kind: "row";
      readonly bucket: Bucket;
      readonly key: Uint8Array;
      readonly index: number;
      readonly what: string;
    }
  /** Rows are missing, surplus or unreadable: the state is damaged. */
  | {
      readonly kind: "rows";
      readonly index: number;
      /** Empty if the sums play no part in this finding. */
      readonly sums: readonly BucketSums[];
      readonly what: string;
      /**
       * True: more than the sums shows the damage. False: only the sums do, so a bug in the digests
       * is possible; scans of several members at one index would tell.
       */
      readonly isConfirmed: boolean;
    }
  /**
   * The rows are right and a digest is wrong: a bug, or a flipped bit in memory. The data is not
   * damaged.
   */
  | {
      readonly kind: "digest";
      readonly index: number;
      readonly sums: readonly BucketSums[];
      readonly what: string;
    }
  /** A record of the log that was durable is no longer readable. */
  | {
      readonly kind: "wal";
      readonly segment: string;
      readonly offset: number;
      readonly what: string;
    };

/** All kinds, in the order of the metrics. */
export const findingKinds: readonly ScrubFinding["kind"][] = ["row", "rows", "digest", "wal"];

/** Equal for equal damage, so that a cycle reports it once. */
export function identityOf(finding: ScrubFinding): string {
  switch (finding.kind) {
    case "row":
      return `row ${finding.bucket} ${finding.key.join()}`;
    case "wal":
      return `wal ${finding.segment}`;
    default:
      return `${finding.kind} ${finding.what} ${finding.sums.map(({ bucket }) => bucket).join()}`;
  }
}
