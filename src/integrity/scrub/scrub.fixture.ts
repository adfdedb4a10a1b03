/**
 * For tests only: a machine and a log with a scrubber beside them, under a clock in which work takes
 * time: a hash costs `hashMs` of the thread.
 */
import { copyBytes } from "../../base/bytes.js";
import type { Backend } from "../../platform/backend.js";
import type { Clock } from "../../platform/clock.js";
import { type Bucket, bucketNames } from "../../platform/rows.js";
import type { Machine } from "../../state/apply.js";
import { foundMachine, sha256 } from "../../state/machine.fixture.js";
import type { Digests } from "../../state/types.js";
import { MemoryDisk } from "../../verify/sim/platform/memory-disk.js";
import { entry, founding, options } from "../../wal/wal.fixture.js";
import { createWal, type Wal } from "../../wal/wal.js";
import type { ScrubFinding } from "./finding.js";
import { Scrubber, type ScrubResult } from "./scrubber.js";

/** Time passes only between timers, and when somebody works. */
export class BusyClock implements Clock {
  nowMs = 0;
  /** All that `work` took. */
  busyMs = 0;
  #timers: { readonly dueMs: number; fn: (() => void) | undefined }[] = [];

  now(): number {
    return this.nowMs;
  }

  unixMs(): number {
    return 1_700_000_000_000 + this.nowMs;
  }

  after(delayMs: number, fn: () => void): { cancel(): void } {
    const timer = { dueMs: this.nowMs + Math.max(0, delayMs), fn: fn as (() => void) | undefined };
    this.#timers.push(timer);
    return {
      cancel: () => {
        timer.fn = undefined;
      },
    };
  }

  defer(fn: () => void): void {
    this.after(0, fn);
  }

  work(ms: number): void {
    this.nowMs += ms;
    this.busyMs += ms;
  }

  /** False: there is none. */
  step(): boolean {
    this.#timers = this.#timers.filter(({ fn }) => fn !== undefined);
    const [first] = this.#timers;
    if (first === undefined) return false;
    const next = this.#timers.reduce((a, b) => (b.dueMs < a.dueMs ? b : a), first);
    this.nowMs = Math.max(this.nowMs, next.dueMs);
    const { fn } = next;
    next.fn = undefined;
    fn?.();
    return true;
  }

  /** The oldest due first, also those that others make. */
  runTo(ms: number): void {
    while (this.#timers.some(({ dueMs, fn }) => fn !== undefined && dueMs <= ms)) this.step();
    this.nowMs = Math.max(this.nowMs, ms);
  }
}

export interface SceneOptions {
  readonly backend: (clock: BusyClock) => Backend;
  readonly clock?: BusyClock;
  readonly hashMs?: number;
  readonly bytesPerSecond?: number;
  readonly intervalMs?: number;
  /** What the machine has in memory when it is frozen, if not the truth. */
  readonly memory?: (digests: Digests) => Digests;
}

export class Scene {
  readonly clock: BusyClock;
  readonly disk: MemoryDisk;
  readonly wal: Wal;
  readonly findings: ScrubFinding[] = [];
  readonly scrubber: Scrubber;
  backend: Backend;
  machine: Machine;
  views = 0;
  #index = 0;

  constructor(made: SceneOptions) {
    const clock = made.clock ?? new BusyClock();
    this.clock = clock;
    this.disk = new MemoryDisk((fn) => clock.defer(fn));
    this.wal = createWal(this.disk, founding, options);
    this.backend = made.backend(clock);
    this.machine = foundMachine(this.backend);
    this.scrubber = new Scrubber({
      clock,
      disk: this.disk,
      sha256: (bytes) => {
        clock.work(made.hashMs ?? 0);
        return sha256(bytes);
      },
      intervalMs: made.intervalMs ?? 0,
      bytesPerSecond: made.bytesPerSecond ?? 32 * 1024 * 1024,
      freeze: (done) => {
        const { backend, machine } = this;
        const memory = machine.digests();
        backend.commit(() => {
          this.views++;
          done({
            view: backend.snapshot(),
            memory: made.memory?.(memory) ?? memory,
            machine,
            isCurrent: () => this.backend === backend,
          });
        });
      },
      extent: () => this.wal.extent(),
      expectedBytes: () => 10_000_000,
      onFinding: (finding) => this.findings.push(finding),
      failed: (error) => {
        throw error;
      },
    });
  }

  /** Appends entries to the log, a flush each. */
  log(count: number): void {
    for (let at = 0; at < count; at++) {
      const list = [entry(++this.#index, 1)];
      this.wal.append(
        { hardState: undefined, entries: list, snapshot: undefined, mustSync: true },
        () => {},
      );
      this.clock.runTo(this.clock.nowMs);
    }
  }

  /** Ends when the cycle has; real completions need real turns. */
  async scrub(): Promise<readonly ScrubFinding[]> {
    let result: ScrubResult | undefined;
    this.scrubber.scrubNow((end) => {
      if (!(end instanceof Error)) result = end;
    });
    while (result === undefined) {
      if (!this.clock.step()) await new Promise((resolve) => setImmediate(resolve));
    }
    return result.findings;
  }

  /** Changes rows as no entry does. */
  overwrite(bucket: Bucket, key: Uint8Array, value: Uint8Array | undefined): void {
    this.backend.write([{ bucket, key, value }]);
  }

  rows(bucket: Bucket): { readonly key: Uint8Array; readonly value: Uint8Array }[] {
    const rows: { key: Uint8Array; value: Uint8Array }[] = [];
    this.backend.scan(bucket, { from: new Uint8Array(0) }, (key, value) => {
      rows.push({ key: copyBytes(key), value: copyBytes(value) });
      return true;
    });
    return rows;
  }
}

/** "row key", "rows lease", ...: what was found, for short. */
export function shown(findings: readonly ScrubFinding[]): string[] {
  return findings.map((finding) => {
    switch (finding.kind) {
      case "row":
        return `row ${bucketNames[finding.bucket]}`;
      case "wal":
        return `wal ${finding.segment} ${finding.offset}`;
      default:
        return `${finding.kind} ${finding.sums.map(({ bucket }) => bucketNames[bucket]).join()}`;
    }
  });
}
