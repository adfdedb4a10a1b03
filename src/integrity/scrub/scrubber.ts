/**
 * Reads all data at rest again and again, slowly, to find damage where no client reads: the rows of
 * the backend and the segments of the log. (There are no snapshot files, because the backend is the
 * snapshot.) It repairs nothing. Findings go to `onFinding`, counts go to the metrics.
 *
 * The scrub must never disturb the member. It works in short pieces, within a bounded share of the
 * thread and of the disk, and writes nothing. It reports each finding once in a cycle.
 */

import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import type { Clock, Timer } from "../../platform/clock.js";
import type { Disk } from "../../platform/disk.js";
import type { Sha256 } from "../../platform/hash.js";
import type { WalExtent } from "../../wal/wal.js";
import { identityOf, type ScrubFinding } from "./finding.js";
import { Pacer } from "./pacer.js";
import { type Frozen, RowScrub } from "./row-scrub.js";
import type { Judged } from "./verdict.js";
import { WalScrub } from "./wal-scrub.js";

/** Of the thread. */
const cpuShare = 0.05;
/** This delay is short enough that a member that restarts daily is scrubbed, too. */
const firstDelayMs = 10 * 60_000;
/** If everything is damaged, the first findings are enough. */
const findingsMax = 1_000;

export interface ScrubberParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly sha256: Sha256;
  /** Milliseconds between the starts of two cycles; 0: only `scrubNow` starts one. */
  readonly intervalMs: number;
  readonly bytesPerSecond: number;
  freeze(done: (frozen: Frozen) => void): void;
  /** The log's disk, for its segments. */
  extent(): WalExtent;
  /** About how many bytes a cycle reads. Only the progress uses it. */
  expectedBytes(): number;
  /** Called in a turn of its own, once in a cycle for each damage. */
  onFinding(finding: ScrubFinding): void;
  /** The scrub itself failed, which is a bug. It has stopped. */
  failed(error: Error): void;
}

export interface ScrubStats {
  readonly rows: number;
  readonly bytes: number;
  readonly cycles: number;
  readonly restarts: number;
  readonly findings: Readonly<Record<ScrubFinding["kind"], number>>;
  /** 0 to 1 during a cycle; 1 after a complete one. */
  readonly progress: number;
  /** End of the last complete cycle, in seconds since the Unix epoch; 0: there was none. */
  readonly lastCompleteSeconds: number;
}

/** The findings of one cycle, in the order in which they were found. */
export interface ScrubResult {
  readonly findings: readonly ScrubFinding[];
}

export class Scrubber {
  readonly #parts: ScrubberParts;
  readonly #pacer: Pacer;
  readonly #rows: RowScrub;
  readonly #wal: WalScrub;
  readonly #counts = { rows: 0, bytes: 0, cycles: 0, restarts: 0 };
  readonly #found = { row: 0, rows: 0, digest: 0, wal: 0 };
  #lastCompleteSeconds = 0;
  #timer: Timer | undefined;
  #isRunning = false;
  #isStopped = false;
  #startMs = 0;
  #startBytes = 0;
  #findings = new Map<string, ScrubFinding>();
  /** The callers that wait for the running cycle, and those that wait for the next one. */
  #told: Done<ScrubResult>[] = [];
  #waiting: Done<ScrubResult>[] = [];

  constructor(parts: ScrubberParts) {
    this.#parts = parts;
    const { clock, bytesPerSecond } = parts;
    this.#pacer = new Pacer({
      clock,
      bytesPerSecond,
      cpuShare,
      failed: (error) => this.#failed(error),
    });
    const shared = { pacer: this.#pacer, report: (finding: ScrubFinding) => this.#report(finding) };
    this.#rows = new RowScrub({
      ...shared,
      clock,
      sha256: parts.sha256,
      freeze: (done) => parts.freeze(done),
      counted: (bytes) => {
        this.#counts.rows++;
        this.#counts.bytes += bytes;
      },
      restarted: () => {
        this.#counts.restarts++;
        this.#startBytes = this.#counts.bytes;
      },
    });
    this.#wal = new WalScrub({
      ...shared,
      disk: parts.disk,
      extent: () => parts.extent(),
      counted: (bytes) => {
        this.#counts.bytes += bytes;
      },
    });
  }

  /** Call once. */
  start(): void {
    const { intervalMs } = this.#parts;
    if (intervalMs > 0) this.#arm(Math.min(intervalMs, firstDelayMs));
  }

  /** Runs a cycle that begins after this call. `done` gets its findings. */
  scrubNow(done: Done<ScrubResult>): void {
    if (this.#isStopped) {
      done(new KvError("stopped"));
      return;
    }
    this.#waiting.push(done);
    if (!this.#isRunning) this.#begin();
  }

  /** Stops for good. Callers that wait are told. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#pacer.stop();
    this.#rows.stop();
    this.#wal.stop();
    const stopped = new KvError("stopped");
    for (const done of [...this.#told.splice(0), ...this.#waiting.splice(0)]) done(stopped);
  }

  stats(): ScrubStats {
    const read = this.#counts.bytes - this.#startBytes;
    const running = Math.min(0.999, read / Math.max(1, this.#parts.expectedBytes()));
    return {
      ...this.#counts,
      findings: { ...this.#found },
      progress: this.#isRunning ? running : Math.min(1, this.#counts.cycles),
      lastCompleteSeconds: this.#lastCompleteSeconds,
    };
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(Math.max(0, delayMs), () => {
      if (!this.#isRunning) this.#begin();
    });
  }

  #begin(): void {
    this.#isRunning = true;
    this.#startMs = this.#parts.clock.now();
    this.#startBytes = this.#counts.bytes;
    this.#findings = new Map();
    this.#told = this.#waiting;
    this.#waiting = [];
    this.#rows.run((judged, index) => {
      if (judged !== undefined) this.#reportSums(judged, index);
      this.#wal.run(() => this.#ended());
    });
  }

  #ended(): void {
    this.#isRunning = false;
    this.#counts.cycles++;
    this.#lastCompleteSeconds = this.#parts.clock.unixMs() / 1000;
    const findings = [...this.#findings.values()];
    for (const done of this.#told.splice(0)) done({ findings });
    if (this.#isStopped || this.#isRunning) return;
    const { clock, intervalMs } = this.#parts;
    if (this.#waiting.length > 0) this.#begin();
    else if (intervalMs > 0) this.#arm(this.#startMs + intervalMs - clock.now());
  }

  #reportSums({ isOther, damaged, undecided, digest }: Judged, index: number): void {
    if (isOther) {
      const what = "the backend holds another state than the one that was saved last";
      this.#report({ kind: "rows", index, sums: [], what, isConfirmed: true });
    }
    if (damaged.length > 0) {
      const what = "rows are lost, or too many, or older than they should be";
      this.#report({ kind: "rows", index, sums: damaged, what, isConfirmed: true });
    }
    if (undecided.length > 0) {
      const what = "the rows do not match their digests";
      this.#report({ kind: "rows", index, sums: undecided, what, isConfirmed: false });
    }
    if (digest.length > 0) {
      const what = "the rows are right, but a digest of them is not: a bug, or a bit in memory";
      this.#report({ kind: "digest", index, sums: digest, what });
    }
  }

  #report(finding: ScrubFinding): void {
    const id = identityOf(finding);
    if (this.#findings.has(id)) return;
    this.#found[finding.kind]++;
    if (this.#findings.size >= findingsMax) return;
    this.#findings.set(id, finding);
    // Not inside a piece: the receiver may stop the member, and with it the view that is read.
    this.#parts.clock.defer(() => {
      if (!this.#isStopped) this.#parts.onFinding(finding);
    });
  }

  #failed(error: Error): void {
    this.stop();
    this.#parts.failed(error);
  }
}
