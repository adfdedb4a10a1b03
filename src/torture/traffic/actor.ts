/** Somebody who asks things of the cluster until the run ends. */
import type { Clock } from "../../platform/clock.js";
import type { Rng } from "../../platform/rng.js";
import type { Stage } from "../ports.js";
import type { Recorder } from "../recorder.js";

export interface TrafficActor {
  /** Resolves after `end`, when the last answer is there. */
  run(): Promise<void>;
  end(): void;
}

export interface ActorParts {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly stage: Stage;
  readonly recorder: Recorder;
  /** Of this client, in the history. */
  readonly number: number;
}
