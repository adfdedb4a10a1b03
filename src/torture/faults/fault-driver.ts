/** Does to the members what the plan says, and marks in the history what really happened. */
import type { Clock } from "../../platform/clock.js";
import { pauseFor } from "../pause.js";
import type { Stage } from "../ports.js";
import type { Recorder } from "../recorder.js";
import { faultLanes, kindRules } from "./fault-kinds.js";
import type { FaultPlan, PlannedFault } from "./fault-plan.js";
import { currentLeader, leaderPlace } from "./leader.js";

export interface FaultDriverParts {
  readonly clock: Clock;
  readonly stage: Stage;
  readonly recorder: Recorder;
  isOver(): boolean;
  /** Called when a member did not come back. */
  found(text: string): void;
  /** Called when a fault has ended and none is on. */
  calm(): void;
}

export class FaultDriver {
  readonly #parts: FaultDriverParts;
  #under = 0;
  /** How many members were really harmed, by kind of fault. */
  readonly hits = new Map<string, number>();
  done = 0;

  constructor(parts: FaultDriverParts) {
    this.#parts = parts;
  }

  /** True while some fault is on. */
  isDisturbed(): boolean {
    return this.#under > 0;
  }

  /** Resolves after the last fault, or after the present ones when the run is over. */
  async run(plan: FaultPlan): Promise<void> {
    const startMs = this.#parts.clock.now();
    const of = (lane: string): readonly PlannedFault[] =>
      plan.faults.filter(({ kind }) => kindRules[kind].lane === lane);
    await Promise.all(faultLanes.map((lane) => this.#lane(plan, of(lane), startMs)));
  }

  async #lane(plan: FaultPlan, faults: readonly PlannedFault[], startMs: number): Promise<void> {
    const { clock, isOver } = this.#parts;
    for (const fault of faults) {
      // Earlier faults took longer than planned, because a member started slowly.
      if (clock.now() - startMs > plan.durationMs) return;
      while (clock.now() - startMs < fault.atMs) {
        if (isOver()) return;
        await pauseFor(clock, Math.min(100, startMs + fault.atMs - clock.now()));
      }
      await this.#harm(fault);
      this.done++;
    }
  }

  async #harm(fault: PlannedFault): Promise<void> {
    const { kind, forMs, variant } = fault;
    const { clock, stage, recorder, isOver, found, calm } = this.#parts;
    const { about, strike } = kindRules[kind];
    const isLeader = fault.members.includes(leaderPlace);
    const members = isLeader ? [await currentLeader(stage)] : fault.members;
    const mark = (what: "fault" | "heal", text: string): void => {
      for (const member of members) recorder.mark(what, text, member);
    };
    mark("fault", `${kind}: ${about}`);
    this.hits.set(kind, (this.hits.get(kind) ?? 0) + members.length);
    this.#under++;
    const note = (text: string): void => recorder.mark("note", text);
    try {
      const heal = await strike({ clock, stage, victims: members, variant, note });
      const endMs = clock.now() + forMs;
      while (clock.now() < endMs && !isOver()) {
        await pauseFor(clock, Math.min(100, endMs - clock.now()));
      }
      await heal();
      mark("heal", `${kind} is over`);
    } catch (error) {
      found(`after ${kind}: ${(error as Error).message}`);
    } finally {
      this.#under--;
    }
    if (this.#under === 0 && !isOver()) calm();
  }
}
