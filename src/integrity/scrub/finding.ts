/** What a scrub can find, as told to whoever repairs. */
import type { Bucket } from "../../platform/rows.js";
import type { BucketDigest } from "../../state/types.js";

/** Three digests of one bucket at one applied index; see docs/scrub.md for how they are judged. */
export interface BucketSums {
  readonly bucket: Bucket;
  /** Summed from the rows. */
  readonly scan: BucketDigest;
  /** In the meta row beside them. */
  readonly stored: BucketDigest;
  /** In the machine's memory when that state was frozen. */
  readonly memory: BucketDigest;
}

export type ScrubFinding =
  /** A row fails its check value, or stands out of order. The meta row too. */
  | {
      readonly kind: "row";
      readonly bucket: Bucket;
      readonly key: Uint8Array;
      readonly index: number;
      readonly what: string;
    }
  /** Rows are lost or too many, or cannot be read at all: the state is damaged. */
  | {
      readonly kind: "rows";
      readonly index: number;
      /** Empty where the sums do not matter. */
      readonly sums: readonly BucketSums[];
      readonly what: string;
      /**
       * True: something beside the sums says so too. False: only the sums, so that a bug in the
       * digests is not excluded; the members' scans at one index would tell.
       */
      readonly isConfirmed: boolean;
    }
  /** The rows are right and a digest is not: a bug or a bit in memory. The data is not damaged. */
  | {
      readonly kind: "digest";
      readonly index: number;
      readonly sums: readonly BucketSums[];
      readonly what: string;
    }
  /** A record of the log that was durable cannot be read any more. */
  | {
      readonly kind: "wal";
      readonly segment: string;
      readonly offset: number;
      readonly what: string;
    };

export const findingKinds: readonly ScrubFinding["kind"][] = ["row", "rows", "digest", "wal"];

/** The same for the same damage, so that it is told once in a cycle. */
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
