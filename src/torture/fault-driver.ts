/** Does to the members what the plan says, and marks in the history what really happened. */
import type { Clock } from "../platform/clock.js";
import type { FaultPlan, PlannedFault } from "./fault-plan.js";
import { pauseFor } from "./pause.js";
import type { Stage } from "./ports.js";
import type { Recorder } from "./recorder.js";

export interface FaultDriverParts {
  readonly clock: Clock;
  readonly stage: Stage;
  readonly recorder: Recorder;
  isOver(): boolean;
  /** A member did not come back. */
  found(text: string): void;
}

export class FaultDriver {
  readonly #parts: FaultDriverParts;
  /** By kind: how many members were really harmed so. */
  readonly hits = new Map<string, number>();
  done = 0;

  constructor(parts: FaultDriverParts) {
    this.#parts = parts;
  }

  /** Resolves after the last fault, or after the present one when the run is over. */
  async run(plan: FaultPlan): Promise<void> {
    const { clock } = this.#parts;
    const startMs = clock.now();
    for (const fault of plan.faults) {
      // The faults before took longer than planned, because a member started slowly.
      if (clock.now() - startMs > plan.durationMs) return;
      while (clock.now() - startMs < fault.atMs) {
        if (this.#parts.isOver()) return;
        await pauseFor(clock, Math.min(100, startMs + fault.atMs - clock.now()));
      }
      await this.#harm(fault);
      this.done++;
    }
  }

  async #harm({ kind, members, forMs }: PlannedFault): Promise<void> {
    const { clock, stage, recorder } = this.#parts;
    const mark = (what: "fault" | "heal", text: string): void => {
      for (const member of members) recorder.mark(what, text, member);
    };
    mark("fault", kind === "kill" ? "SIGKILL" : "SIGSTOP");
    this.hits.set(kind, (this.hits.get(kind) ?? 0) + members.length);
    if (kind === "kill") {
      await Promise.all(members.map((member) => stage.kill(member)));
      await pauseFor(clock, forMs);
      if (await this.#startAgain(members)) mark("heal", "started again");
      return;
    }
    for (const member of members) stage.pause(member);
    await pauseFor(clock, forMs);
    for (const member of members) stage.resume(member);
    mark("heal", "SIGCONT");
  }

  async #startAgain(members: readonly string[]): Promise<boolean> {
    const starts = members.map((member) => this.#parts.stage.start(member));
    const failed = (await Promise.allSettled(starts)).find(({ status }) => status === "rejected");
    if (failed?.status !== "rejected") return true;
    this.#parts.found((failed.reason as Error).message);
    return false;
  }
}
