/**
 * Replays a story: a plan, the steps of its run, and the image that broke the law at its end. The
 * diagrams draw it.
 */
import type { LawBreach } from "./law.js";
import type { StudyPlan } from "./plan.js";
import { type RunEvent, runPlan, type Severity } from "./run.js";
import { findingOf } from "./shrink.js";

export interface Story {
  readonly plan: StudyPlan;
  readonly events: readonly RunEvent[];
  readonly finding: LawBreach;
  /** The crash included. */
  readonly eventsAfter: number;
}

/**
 * Runs `plan` to its first finding; undefined: it has none. Without `severity`: a finding with
 * lasting harm if there is one.
 */
export function replayStory(plan: StudyPlan, severity?: Severity): Story | undefined {
  if (severity === undefined) return replayStory(plan, "harm") ?? replayStory(plan, "law");
  const result = runPlan(plan, { until: severity, isTraced: true });
  const finding = findingOf(result, severity);
  if (finding === undefined) return undefined;
  const { events } = result;
  return { plan, events, finding, eventsAfter: events.length + 1 };
}
