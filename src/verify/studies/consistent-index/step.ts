/**
 * Actors as explicit step machines. An actor is a generator of steps. Between two of its steps any
 * other actor may run; inside a step none can. Only `run` holds the effect of a step: the code
 * between two yields must change nothing that others see.
 */
import type { ActorName } from "./plan.js";

export interface StudyStep {
  /** The text for the diagram; read after the step has run. */
  text(): string;
  /** False while the actor has to wait, for example for the mutex. */
  isReady(): boolean;
  run(): void;
  /** The entry that this step works for; the steps of other actors have none. */
  readonly entry?: number;
  /** The limit of the plan that asked for this step. */
  readonly limit?: Limit;
}

/** The limits of a plan that make an actor move. */
export type Limit = "batchLimit" | "snapshotEvery";

export type Steps = Generator<StudyStep, void, void>;

/** One of those who take turns. Its steps may never end. */
export interface Actor {
  readonly name: ActorName;
  readonly steps: Steps;
}

const always = (): boolean => true;

/** A step with a fixed text that never waits. */
export function step(text: string, run: () => void): StudyStep {
  return { text: () => text, isReady: always, run };
}

/** A step that waits until `isReady`. */
export function stepWhen(text: string, isReady: () => boolean, run: () => void): StudyStep {
  return { text: () => text, isReady, run };
}

/** Names the limit on every step of `steps`. */
export function* forLimit(limit: Limit, steps: Steps): Steps {
  for (const each of steps) yield { ...each, limit };
}

/** Names the entry on every step of `steps`. */
export function* forEntry(entry: number, steps: Steps): Steps {
  for (const each of steps) yield { ...each, entry };
}
