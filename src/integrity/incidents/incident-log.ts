/**
 * Keeps the incidents of one data directory in incidents.jsonl: one step a line, appended and
 * synced. It keeps the newest 100 incidents. The file is for people. If it cannot be written, the
 * incidents stay in memory, and healing neither waits for it nor fails.
 */
import { InvariantViolation } from "../../base/invariant.js";
import type { Disk } from "../../platform/disk.js";
import { replaceFile } from "../../storage/atomic-file.js";
import type { Incident, IncidentStep, StepKind } from "./incident.js";

const path = "incidents.jsonl";
/** How many incidents the file keeps: the newest. */
export const incidentsMax = 100;
/**
 * Repeated steps must not fill the disk. Beyond this number, only the last kinds of steps are
 * recorded.
 */
const stepsMax = 64;
const lastKinds: readonly StepKind[] = ["ended", "rows"];
const fileBytesMax = 16 * 1024 * 1024;

interface Line extends IncidentStep {
  readonly incident: number;
}

export class IncidentLog {
  readonly #disk: Disk;
  readonly #failed: (error: Error) => void;
  readonly #incidents = new Map<number, IncidentStep[]>();
  #last = 0;
  #endsInLine = false;
  #isWritable = true;

  /** Calls `failed` once. From then on incidents are only in memory. */
  constructor(disk: Disk, failed: (error: Error) => void) {
    this.#disk = disk;
    this.#failed = failed;
    this.#attempt(() => this.#read());
  }

  /** Oldest first. */
  all(): readonly Incident[] {
    return [...this.#incidents].map(([number, steps]) => ({ number, steps }));
  }

  newest(): Incident | undefined {
    const steps = this.#incidents.get(this.#last);
    return steps === undefined ? undefined : { number: this.#last, steps };
  }

  /** The new incident's number. */
  begin(first: IncidentStep): number {
    this.#last++;
    this.#incidents.set(this.#last, []);
    const isFull = this.#incidents.size > incidentsMax;
    for (const number of this.#incidents.keys()) {
      if (this.#incidents.size > incidentsMax) this.#incidents.delete(number);
    }
    if (isFull) this.#attempt(() => this.#rewrite());
    this.add(this.#last, first);
    return this.#last;
  }

  add(number: number, step: IncidentStep): void {
    const steps = this.#incidents.get(number);
    const isLate = (steps?.length ?? 0) >= stepsMax && !lastKinds.includes(step.kind);
    if (steps === undefined || isLate) return;
    steps.push(step);
    this.#attempt(() => this.#append({ incident: number, ...step }));
  }

  /** Writes nothing from now on. */
  stop(): void {
    this.#isWritable = false;
  }

  #attempt(work: () => void): void {
    if (!this.#isWritable) return;
    try {
      work();
    } catch (error) {
      if (error instanceof InvariantViolation) throw error;
      this.#giveUp(error as Error);
    }
  }

  #giveUp(error: Error): void {
    if (this.#isWritable) this.#failed(error);
    this.#isWritable = false;
  }

  #read(): void {
    if (!this.#disk.exists(path)) return;
    const file = this.#disk.open(path, "existing");
    const bytes = file.read(0, Math.min(file.size(), fileBytesMax));
    file.close();
    this.#endsInLine = bytes.length > 0 && bytes.at(-1) !== 10;
    for (const text of new TextDecoder().decode(bytes).split("\n")) this.#take(text);
    this.#last = Math.max(0, ...this.#incidents.keys());
    if (this.#incidents.size <= incidentsMax) return;
    for (const number of [...this.#incidents.keys()].slice(0, -incidentsMax))
      this.#incidents.delete(number);
    this.#rewrite();
  }

  /** Skips a line that a crash left incomplete. */
  #take(text: string): void {
    const line = parsed(text);
    if (line === undefined) return;
    const { incident, ...step } = line;
    const steps = this.#incidents.get(incident);
    if (steps === undefined) this.#incidents.set(incident, [step]);
    else steps.push(step);
  }

  #append(line: Line): void {
    const isNew = !this.#disk.exists(path);
    const file = this.#disk.open(path, isNew ? "create" : "existing");
    file.write(file.size(), encoded(this.#endsInLine ? `\n${text(line)}` : text(line)));
    this.#endsInLine = false;
    file.sync((error) => {
      file.close();
      if (error !== undefined) this.#giveUp(error);
      else if (isNew) this.#attempt(() => this.#disk.syncDir(""));
    });
  }

  #rewrite(): void {
    const lines = [...this.#incidents].flatMap(([incident, steps]) =>
      steps.map((step) => text({ incident, ...step })),
    );
    replaceFile(this.#disk, path, encoded(lines.join("")));
    this.#endsInLine = false;
  }
}

function text(line: Line): string {
  return `${JSON.stringify(line)}\n`;
}

function encoded(lines: string): Uint8Array {
  return new TextEncoder().encode(lines);
}

/** Undefined: not a step. */
function parsed(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Partial<Line> | null;
    const isStep =
      Number.isSafeInteger(line?.incident) &&
      typeof line?.kind === "string" &&
      typeof line.atMs === "number" &&
      typeof line.text === "string";
    if (!isStep) return undefined;
    return { member: "0", index: 0, ...line } as Line;
  } catch {
    return undefined;
  }
}
