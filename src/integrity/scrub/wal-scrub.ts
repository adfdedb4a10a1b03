/**
 * Makes one pass over the log's segments while the writer goes on. It reads finished segments
 * whole, and the last one up to its durable end. A segment that disappears because nobody needs it
 * is no finding.
 */
import type { Disk } from "../../platform/disk.js";
import { type CheckedSegment, SegmentCheck, type SegmentLink } from "../../wal/segment-check.js";
import type { WalExtent } from "../../wal/wal.js";
import type { ScrubFinding } from "./finding.js";
import type { Budget, Pacer } from "./pacer.js";

export interface WalScrubParts {
  readonly pacer: Pick<Pacer, "run">;
  readonly disk: Disk;
  extent(): WalExtent;
  report(finding: ScrubFinding): void;
  counted(bytes: number): void;
}

interface Running {
  readonly name: string;
  readonly sequence: number;
  readonly segment: CheckedSegment;
  readonly check: SegmentCheck;
}

export class WalScrub {
  readonly #parts: WalScrubParts;
  #names: readonly string[] = [];
  #next = 0;
  #running: Running | undefined;
  /** The segment before, if it was read and is intact. */
  #before: { readonly sequence: number; readonly link: SegmentLink } | undefined;

  constructor(parts: WalScrubParts) {
    this.#parts = parts;
  }

  run(done: () => void): void {
    this.#names = this.#parts.extent().segments.map(({ name }) => name);
    this.#next = 0;
    this.#before = undefined;
    this.#parts.pacer.run((budget) => this.#piece(budget), done);
  }

  stop(): void {
    this.#running?.segment.file.close();
    this.#running = undefined;
  }

  #piece(budget: Budget): boolean {
    for (;;) {
      if (this.#running === undefined) {
        const name = this.#names[this.#next++];
        if (name === undefined) return true;
        this.#running = this.#open(name);
        continue;
      }
      const bytes = this.#step(this.#running);
      if (bytes === 0) this.#ended(this.#running);
      this.#parts.counted(bytes);
      if (!budget.take(bytes)) return false;
    }
  }

  /** Undefined: the segment is gone, rightly or not. */
  #open(name: string): Running | undefined {
    const { dir, segments, durable } = this.#parts.extent();
    const place = segments.findIndex((segment) => segment.name === name);
    const found = segments[place];
    if (found === undefined) return undefined;
    const { sequence } = found;
    const path = `${dir}/${name}`;
    const before = this.#before?.sequence === sequence - 1 ? this.#before.link : undefined;
    try {
      const segment: CheckedSegment = {
        path,
        file: this.#parts.disk.open(path, "existing"),
        before,
        durable: place === segments.length - 1 ? durable : undefined,
      };
      return { name, sequence, segment, check: new SegmentCheck(segment) };
    } catch (error) {
      this.#report(name, 0, error as Error);
      return undefined;
    }
  }

  #step({ name, check }: Running): number {
    try {
      return check.step();
    } catch (error) {
      // A sector that cannot be read is a finding of the scrub.
      this.#report(name, check.offset(), error as Error);
      return 0;
    }
  }

  #ended({ name, sequence, segment, check }: Running): void {
    segment.file.close();
    this.#running = undefined;
    const damage = check.damage();
    if (damage !== undefined) {
      this.#parts.report({ kind: "wal", segment: name, ...damage });
    }
    const link = check.end();
    this.#before = link === undefined ? undefined : { sequence, link };
  }

  #report(segment: string, offset: number, { message }: Error): void {
    this.#parts.report({ kind: "wal", segment, offset, what: message });
  }
}
