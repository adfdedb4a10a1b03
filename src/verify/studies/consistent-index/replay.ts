/**
 * A story: a plan, what happened step by step when it ran, and the image that broke the law at its
 * end. It is what the diagrams draw.
 */
import type { Finding } from "./law.js";
import type { Plan } from "./plan.js";
import { type RunEvent, runPlan, type Severity } from "./run.js";
import { findingOf } from "./shrink.js";

export interface Story {
  readonly plan: Plan;
  readonly events: readonly RunEvent[];
  readonly finding: Finding;
  /** The crash included. */
  readonly eventsAfter: number;
}

/** Runs `plan` to its first finding; undefined: it has none. Without `severity`, harm if there is any. */
export function replayStory(plan: Plan, severity?: Severity): Story | undefined {
  if (severity === undefined) return replayStory(plan, "harm") ?? replayStory(plan, "law");
  const result = runPlan(plan, { until: severity, isTraced: true });
  const finding = findingOf(result, severity);
  if (finding === undefined) return undefined;
  const { events } = result;
  return { plan, events, finding, eventsAfter: events.length + 1 };
}
