/** A client of a run: sends requests to the cluster until the run ends. */
import type { Clock } from "../../platform/clock.js";
import type { Rng } from "../../platform/rng.js";
import type { Stage } from "../ports.js";
import type { Recorder } from "../recorder.js";

export interface TrafficActor {
  /** Resolves after the run's end, when the client has its last answer. */
  run(): Promise<void>;
  end(): void;
}

export interface ActorParts {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly stage: Stage;
  readonly recorder: Recorder;
  /** The number of this client in the history. */
  readonly number: number;
}
