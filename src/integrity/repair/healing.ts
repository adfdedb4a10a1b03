/** Runs one healer at a time and gives it what it needs of the member. */
import type { MachineReader } from "../../state/types.js";
import type { MonitorParts } from "../monitor-parts.js";
import { Healer, type HealerParts } from "./healer.js";

export type HealingParts = Pick<
  MonitorParts,
  | "clock"
  | "selfId"
  | "raft"
  | "machine"
  | "request"
  | "firstIndex"
  | "fetch"
  | "adopt"
  | "incidents"
  | "log"
> & {
  /** While a fetched state catches up, it is at another index than the stand-in. */
  record(machine: MachineReader): void;
  adopted: HealerParts["adopted"];
  hasOtherLog: HealerParts["hasOtherLog"];
};

export class Healing {
  readonly #parts: HealingParts;
  #healer: Healer | undefined;

  constructor(parts: HealingParts) {
    this.#parts = parts;
  }

  /** `failures`: how many attempts failed before. After a failure the first attempt waits. */
  begin(failures: number): void {
    this.#healer?.stop();
    const { clock, selfId } = this.#parts;
    this.#healer = new Healer(
      {
        ...{ clock, selfId },
        leader: () => this.#parts.raft().leader(),
        term: () => this.#parts.raft().term(),
        voters: () => this.#parts.machine().confState.voters,
        request: (to, method, body, done) => this.#parts.request(to, method, body, done),
        appliedIndex: () => this.#parts.machine().appliedIndex,
        firstIndex: () => this.#parts.firstIndex(),
        fetch: (from, index, done) => this.#parts.fetch(from, index, done),
        adopt: (index, done) =>
          this.#parts.adopt(index, (machine) => this.#parts.record(machine), done),
        adopted: (index) => this.#parts.adopted(index),
        hasOtherLog: (otherLog) => this.#parts.hasOtherLog(otherLog),
        log: (level, message, fields) => {
          this.#parts.incidents.healing(message, fields);
          this.#parts.log(level, message, fields);
        },
      },
      failures,
    );
    this.#healer.start();
  }

  stop(): void {
    this.#healer?.stop();
  }
}
