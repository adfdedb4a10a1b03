/**
 * Makes one pass over all rows of the backend. It verifies each row's check value and compares the
 * sums of all rows with the digests stored beside them.
 *
 * A frozen view holds disk pages. So the pass closes it after `viewMs` and goes on in the view of a
 * newer state. That is sound only for the key space: its rows are in the order of revisions, new
 * rows come after all others, and only compaction removes rows. If a compaction removed rows
 * meanwhile, the pass begins again. After `attemptsMax` attempts it keeps one view, whatever that
 * costs. It reads the small buckets, the meta row and the end of the key space in the last view.
 */
import { compareBytes } from "../../base/bytes.js";
import { DamageError } from "../../base/errors.js";
import type { BackendSnapshot } from "../../platform/backend.js";
import type { Clock } from "../../platform/clock.js";
import type { Sha256 } from "../../platform/hash.js";
import { Bucket } from "../../platform/rows.js";
import { DigestSet, digestedBuckets } from "../../state/digest.js";
import { emptyMeta, type Meta, metaKey, readMeta } from "../../state/meta.js";
import { openRow } from "../../state/rows.js";
import type { Digests, Job, MachineReader } from "../../state/types.js";
import type { ScrubFinding } from "./finding.js";
import type { Budget, Pacer } from "./pacer.js";
import { type Judged, judgeScrub, type SumComparison, weigh } from "./verdict.js";

const viewMs = 10_000;
const attemptsMax = 3;
const auditRowsMax = 200;
/** An estimate: an audit does not know how much it reads. */
const auditRowBytes = 100;
const firstKey = new Uint8Array(0);

/** A state at rest. */
export interface Frozen {
  readonly view: BackendSnapshot;
  /** The digests in the machine's memory for exactly this state. */
  readonly memory: Digests;
  /** Whose state it is. */
  readonly machine: Pick<MachineReader, "audit">;
  /** False: the backend was replaced, so the view is useless. */
  isCurrent(): boolean;
}

export interface RowScrubParts {
  readonly clock: Clock;
  readonly pacer: Pick<Pacer, "run" | "wait">;
  readonly sha256: Sha256;
  freeze(done: (frozen: Frozen) => void): void;
  report(finding: ScrubFinding): void;
  /** One row more was read. */
  counted(bytes: number): void;
  /** What this pass has read so far does not count. It begins again. */
  restarted(): void;
}

type RunEnd = "complete" | "renew" | "replaced";

interface View extends Frozen {
  readonly sinceMs: number;
  /** Undefined: the meta row is damaged. */
  readonly meta: Meta | undefined;
  readonly stored: DigestSet;
}

export class RowScrub {
  readonly #parts: RowScrubParts;
  #view: View | undefined;
  #attempts = 0;
  #isStopped = false;
  #scan: DigestSet;
  #skipped = new Set<Bucket>();
  /** In `digestedBuckets`. */
  #place = 0;
  #from: Uint8Array = firstKey;
  #last: Uint8Array | undefined;
  #compaction: string | undefined;
  /** Why a run of pieces ended. */
  #end: RunEnd = "complete";
  #verdict: SumComparison | undefined;
  /** Runs if the rows agree with no digest. */
  #audit: Job<ReadonlySet<Bucket>> | undefined;
  #judged: Judged | undefined;
  /** A pass found nothing wrong with the rows of this machine, so its tables are to be trusted. */
  #proven: object | undefined;

  constructor(parts: RowScrubParts) {
    this.#parts = parts;
    this.#scan = new DigestSet(parts.sha256);
  }

  /** `done` gets the judgement of the sums. Undefined: they could not be compared. */
  run(done: (judged: Judged | undefined, index: number) => void): void {
    this.#scan = new DigestSet(this.#parts.sha256);
    this.#skipped = new Set();
    this.#place = 0;
    this.#from = firstKey;
    this.#last = undefined;
    this.#compaction = undefined;
    this.#verdict = undefined;
    this.#audit = undefined;
    this.#judged = undefined;
    this.#freeze(done);
  }

  stop(): void {
    this.#isStopped = true;
    this.#release();
  }

  #freeze(done: (judged: Judged | undefined, index: number) => void): void {
    this.#parts.freeze((frozen) => {
      if (this.#isStopped) {
        frozen.view.close();
        return;
      }
      const view = this.#enter(frozen);
      this.#view = view;
      const { meta } = view;
      const compaction = meta === undefined ? "unknown" : compactionOf(meta);
      this.#compaction ??= compaction;
      if (this.#compaction !== compaction) {
        this.#restart(done);
        return;
      }
      this.#parts.pacer.run(
        (budget) => this.#piece(view, budget),
        () => this.#ended(done),
      );
    });
  }

  /** Reads the meta row. */
  #enter(frozen: Frozen): View {
    const stored = new DigestSet(this.#parts.sha256);
    const sinceMs = this.#parts.clock.now();
    const { index } = frozen.memory;
    let meta: Meta | undefined;
    let what = "the meta row is not there";
    try {
      meta = readMeta(frozen.view, stored);
      // A member that waits for its first state has no rows.
      if (meta === undefined && index === 0) meta = emptyMeta();
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      what = error.message;
    }
    if (meta === undefined) {
      this.#parts.report({ kind: "row", bucket: Bucket.meta, key: metaKey, index, what });
    }
    return { ...frozen, sinceMs, meta, stored };
  }

  #ended(done: (judged: Judged | undefined, index: number) => void): void {
    const index = this.#view?.memory.index ?? 0;
    this.#release();
    if (this.#end === "renew") this.#freeze(done);
    else if (this.#end === "replaced") {
      this.#parts.restarted();
      this.run(done);
    } else {
      this.#attempts = 0;
      done(this.#judged, index);
    }
  }

  /** Compaction runs in steps and may be over some time later. */
  #restart(done: (judged: Judged | undefined, index: number) => void): void {
    this.#release();
    this.#attempts++;
    this.#parts.restarted();
    this.#parts.pacer.wait(viewMs, () => this.run(done));
  }

  /** True: this run of pieces has ended, and `#end` says why. */
  #piece(view: View, budget: Budget): boolean {
    if (!view.isCurrent()) return this.#endRun("replaced");
    if (this.#verdict !== undefined) return this.#auditRows(view, this.#verdict, budget);
    const isKeySpace = digestedBuckets[this.#place] === Bucket.key;
    const isOld = this.#parts.clock.now() - view.sinceMs >= viewMs;
    const mayRenew = isKeySpace && this.#attempts < attemptsMax && view.meta !== undefined;
    if (mayRenew && isOld) return this.#endRun("renew");
    while (this.#place < digestedBuckets.length) {
      if (!this.#scanBucket(view, budget)) return false;
      this.#place++;
      this.#from = firstKey;
      this.#last = undefined;
    }
    if (view.meta === undefined) return this.#endRun("complete");
    const { memory, meta, stored } = view;
    const sums = { scan: this.#scan, stored, meta, memory, skipped: this.#skipped };
    this.#verdict = judgeScrub(sums, this.#parts.sha256);
    // The comparison with the tables can take long, too, so it runs in the following pieces.
    return false;
  }

  /**
   * True: the sums are judged. Rows that agree with no digest first need the comparison with the
   * tables.
   */
  #auditRows(view: View, verdict: SumComparison, budget: Budget): boolean {
    let disagreeing: ReadonlySet<Bucket> | undefined = new Set();
    if (verdict.rows.length > 0) {
      this.#audit ??= view.machine.audit();
      do disagreeing = this.#audit.step(auditRowsMax);
      while (disagreeing === undefined && budget.take(auditRowsMax * auditRowBytes));
      if (disagreeing === undefined) return false;
    } else if (!verdict.isOther && this.#skipped.size === 0) this.#proven = view.machine;
    const isTrusted = this.#proven === view.machine;
    this.#judged = weigh(verdict, { disagreeing, isTrusted });
    return this.#endRun("complete");
  }

  #endRun(end: RunEnd): true {
    this.#end = end;
    return true;
  }

  /** False: the piece's budget is used up. The bucket continues at `#from`. */
  #scanBucket(view: View, budget: Budget): boolean {
    const bucket = digestedBuckets[this.#place] as Bucket;
    let isSpent = false;
    let isPaused = false;
    try {
      view.view.scan(bucket, { from: this.#from }, (key, stored) => {
        if (isSpent) {
          this.#from = key;
          isPaused = true;
          return false;
        }
        const isInOrder = this.#last === undefined || compareBytes(this.#last, key) < 0;
        if (!isInOrder) {
          // In a damaged tree, a cursor can run in a circle.
          this.#bad(view, bucket, { key, what: "a row out of order" });
          return false;
        }
        this.#last = key;
        this.#visit(view, bucket, { key, stored });
        this.#parts.counted(key.length + stored.length);
        isSpent = !budget.take(key.length + stored.length);
        return true;
      });
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      this.#unreadable(view, bucket, error);
    }
    return !isPaused;
  }

  #visit(
    view: View,
    bucket: Bucket,
    row: { readonly key: Uint8Array; readonly stored: Uint8Array },
  ): void {
    try {
      this.#scan.add(bucket, row.key, openRow(bucket, row.key, row.stored));
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      this.#bad(view, bucket, { key: row.key, what: error.message });
    }
  }

  #bad(view: View, bucket: Bucket, row: { readonly key: Uint8Array; readonly what: string }): void {
    this.#skipped.add(bucket);
    this.#parts.report({ kind: "row", bucket, index: view.memory.index, ...row });
  }

  #unreadable(view: View, bucket: Bucket, error: Error): void {
    this.#skipped.add(bucket);
    this.#parts.report({
      kind: "rows",
      index: view.memory.index,
      sums: [],
      what: error.message,
      isConfirmed: true,
    });
  }

  #release(): void {
    this.#view?.view.close();
    this.#view = undefined;
  }
}

/** A number that changes whenever rows of the key space were removed. */
function compactionOf(meta: Meta): string {
  const { compactRevision, finishedCompactRevision, cursorMain, cursorSub } = meta;
  return `${compactRevision} ${finishedCompactRevision} ${cursorMain} ${cursorSub}`;
}
