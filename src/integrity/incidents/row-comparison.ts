/**
 * Finds the wrong rows of a state that was given up. It reads that state beside the right one, in
 * pieces with pauses, after the member serves again. The result is for people; nothing depends on
 * it.
 *
 * The right state is at a later index. So the comparison leaves out changes of keys after the wrong
 * state's revision. A row that only the wrong state has may have been compacted since; then it does
 * not count. Rows of other buckets change in place, so there only rows with a failing check value
 * count.
 */
import { compareBytes, copyBytes, printable } from "../../base/bytes.js";
import { DamageError } from "../../base/errors.js";
import type { BackendReader } from "../../platform/backend.js";
import type { Clock, Timer } from "../../platform/clock.js";
import type { Sha256 } from "../../platform/hash.js";
import { Bucket, bucketNames } from "../../platform/rows.js";
import { DigestSet, digestedBuckets } from "../../state/digest.js";
import { readMeta } from "../../state/meta.js";
import { decodeRevision } from "../../state/mvcc/revision-key.js";
import { openRow } from "../../state/rows.js";
import type { MachineReader } from "../../state/types.js";
import { KeyValue } from "../../wire/gen/kv.js";
import type { RowFault, RowFindings, WrongRow } from "./incident.js";

const rowsPerPiece = 500;
const bytesPerPiece = 1024 * 1024;
/** The pause is about as long as the piece: the work takes at most half of a core. */
const pauseMs = 10;
/** How many rows the result names. */
const toldMax = 20;

type Row = readonly [key: Uint8Array, stored: Uint8Array];

export interface RowComparisonParts {
  readonly clock: Clock;
  readonly sha256: Sha256;
  /** The state in use. It is asked for anew for each piece. */
  right(): { readonly backend: BackendReader; readonly machine: MachineReader };
}

export class RowComparison {
  readonly #parts: RowComparisonParts;
  readonly #wrong: BackendReader;
  readonly #done: (findings: RowFindings) => void;
  readonly #faults = { missing: 0, extra: 0, different: 0, damaged: 0 };
  readonly #rows: WrongRow[] = [];
  readonly #wrongIndex: number;
  readonly #rightIndex: number;
  readonly #uptoRevision: number;
  #compared = 0;
  #bucket = 0;
  #from: Uint8Array = new Uint8Array(0);
  #timer: Timer | undefined;

  /** Calls `done` once, later, unless `stop` is called before. */
  constructor(
    parts: RowComparisonParts,
    wrong: BackendReader,
    done: (findings: RowFindings) => void,
  ) {
    this.#parts = parts;
    this.#wrong = wrong;
    this.#done = done;
    const { machine } = parts.right();
    const meta = storedMeta(wrong, parts.sha256);
    const revision = machine.kv.revision();
    this.#wrongIndex = meta?.index ?? 0;
    this.#rightIndex = machine.appliedIndex;
    this.#uptoRevision = Math.min(meta?.revision ?? revision, revision);
    this.#timer = parts.clock.after(pauseMs, () => this.#piece());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #piece(): void {
    try {
      this.#compareSome();
    } catch (error) {
      // The wrong backend may be damaged in any way, so any read may throw.
      this.#end((error as Error).message);
      return;
    }
    if (this.#bucket >= digestedBuckets.length) this.#end("");
    else this.#timer = this.#parts.clock.after(pauseMs, () => this.#piece());
  }

  #end(problem: string): void {
    this.#done({
      wrongIndex: this.#wrongIndex,
      rightIndex: this.#rightIndex,
      uptoRevision: this.#uptoRevision,
      compared: this.#compared,
      faults: this.#faults,
      rows: this.#rows,
      problem,
    });
  }

  #compareSome(): void {
    const bucket = digestedBuckets[this.#bucket] as Bucket;
    const wrong = piece(this.#wrong, bucket, this.#from);
    const right = piece(this.#parts.right().backend, bucket, this.#from);
    const upto = smaller(wrong.upto, right.upto);
    const isBelow = ([key]: Row): boolean => upto === undefined || compareBytes(key, upto) <= 0;
    this.#merge(bucket, wrong.rows.filter(isBelow), right.rows.filter(isBelow));
    if (upto === undefined) {
      this.#bucket++;
      this.#from = new Uint8Array(0);
    } else this.#from = after(upto);
  }

  #merge(bucket: Bucket, wrong: readonly Row[], right: readonly Row[]): void {
    let at = 0;
    for (const [key, stored] of wrong) {
      this.#compared++;
      for (; at < right.length && compareBytes((right[at] as Row)[0], key) < 0; at++) {
        this.#absent(bucket, right[at] as Row, "missing");
      }
      const other = right[at];
      if (other === undefined || compareBytes(other[0], key) !== 0) {
        if (isDamaged(bucket, key, stored)) this.#tell(bucket, [key, stored], "damaged");
        else this.#absent(bucket, [key, stored], "extra");
        continue;
      }
      at++;
      if (isDamaged(bucket, key, stored)) this.#tell(bucket, other, "damaged");
      else if (bucket === Bucket.key && compareBytes(stored, other[1]) !== 0)
        this.#tell(bucket, other, "different");
    }
    for (; at < right.length; at++) this.#absent(bucket, right[at] as Row, "missing");
  }

  /** Counts a row that only one of the two states has. */
  #absent(bucket: Bucket, row: Row, fault: "missing" | "extra"): void {
    if (bucket !== Bucket.key) return;
    const { main } = decodeRevision(row[0]);
    const isCompacted = main <= this.#parts.right().machine.kv.compactRevision();
    if (main > this.#uptoRevision || (fault === "extra" && isCompacted)) return;
    this.#tell(bucket, row, fault);
  }

  #tell(bucket: Bucket, [key, stored]: Row, fault: RowFault): void {
    this.#faults[fault]++;
    if (this.#rows.length >= toldMax) return;
    this.#rows.push({
      bucket: bucketNames[bucket] as string,
      key: Buffer.from(key).toString("hex"),
      text: bucket === Bucket.key ? keyText(stored) : "",
      revision: bucket === Bucket.key ? decodeRevision(key).main : 0,
      fault,
    });
  }
}

/**
 * Rows from `from` on, and the key up to which they are complete. Undefined key: up to the end of
 * the bucket.
 */
function piece(
  reader: BackendReader,
  bucket: Bucket,
  from: Uint8Array,
): { readonly rows: readonly Row[]; readonly upto: Uint8Array | undefined } {
  const rows: Row[] = [];
  let bytes = 0;
  reader.scan(bucket, { from }, (key, stored) => {
    rows.push([copyBytes(key), copyBytes(stored)]);
    bytes += stored.length;
    return rows.length < rowsPerPiece && bytes < bytesPerPiece;
  });
  const isWhole = rows.length < rowsPerPiece && bytes < bytesPerPiece;
  return { rows, upto: isWhole ? undefined : rows.at(-1)?.[0] };
}

function smaller(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareBytes(a, b) <= 0 ? a : b;
}

/** The next possible key. */
function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

function isDamaged(bucket: Bucket, key: Uint8Array, stored: Uint8Array): boolean {
  try {
    openRow(bucket, key, stored);
    return false;
  } catch (error) {
    if (error instanceof DamageError) return true;
    throw error;
  }
}

/** Undefined: the wrong state does not say at which index it is. */
function storedMeta(wrong: BackendReader, sha256: Sha256): ReturnType<typeof readMeta> {
  try {
    return readMeta(wrong, new DigestSet(sha256));
  } catch {
    return undefined;
  }
}

/** The client's key of a row of the bucket `key`. */
function keyText(stored: Uint8Array): string {
  try {
    const { key } = KeyValue.decode(stored.subarray(0, stored.length - 4));
    return printable(key.subarray(0, 256));
  } catch {
    return "";
  }
}
