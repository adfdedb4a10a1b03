/**
 * Writes the files for a failing seed: a folder with the shrunk plan, a report, pictures, the
 * client history and the full trace.
 */
import fs from "node:fs";
import path from "node:path";
import { formatHistory } from "../verify/history/history-file.js";
import { causalPast } from "../verify/report/causal-past.js";
import { renderHistoryHtml } from "../verify/report/history-html.js";
import { renderReport } from "../verify/report/report-text.js";
import { renderSpaceTimeSvg } from "../verify/report/space-time-svg.js";
import { renderSpaceTimeText } from "../verify/report/space-time-text.js";
import type { TraceEvent } from "../verify/report/trace.js";
import type { Plan } from "../verify/sim/plan/plan.js";
import { encodePlan } from "../verify/sim/plan/plan-file.js";
import { shrink, sizeOf } from "../verify/sim/plan/shrink.js";
import { type RunResult, runPlan } from "../verify/sim/run-plan.js";

const runsMax = 400;
const pastMax = 60;
/** Kinds of events that are too many to read and cause nothing. */
const dull: ReadonlySet<TraceEvent["kind"]> = new Set(["fsync", "commit", "log"]);

export interface ReportOptions {
  readonly out: string;
  readonly shrink: boolean;
  readonly without: ReadonlySet<string>;
}

export interface Reported {
  readonly folder: string;
  readonly sizeBefore: number;
  readonly sizeAfter: number;
  readonly text: string;
}

/** Shrinks the plan, runs it once more with a recorder, and writes everything to files. */
export function reportFailure(plan: Plan, invariant: string, options: ReportOptions): Reported {
  const small = options.shrink ? shrunk(plan, invariant, options.without) : plan;
  const result = runPlan(small, { without: options.without, isRecorded: true });
  const folder = path.join(options.out, `seed-${plan.seed}-${invariant}`);
  const planFile = path.join(folder, "plan.json");
  const text = reportText({ plan, small, planFile }, result);
  fs.mkdirSync(folder, { recursive: true });
  const write = (name: string, content: string): void =>
    fs.writeFileSync(path.join(folder, name), content);
  write("plan.json", encodePlan(small));
  write("report.txt", text);
  for (const [name, content] of pictures(plan, result)) write(name, content);
  write("history.jsonl", formatHistory(result.history));
  write("trace.ndjson", result.trace.map((event) => `${JSON.stringify(event)}\n`).join(""));
  return { folder, sizeBefore: sizeOf(plan), sizeAfter: sizeOf(small), text };
}

/** Draws the causal past as diagrams, and what clients saw on one page. */
function pictures(plan: Plan, result: RunResult): readonly (readonly [string, string])[] {
  const { violation, trace, history } = result;
  const title = `seed ${plan.seed}: ${violation?.invariant ?? "no failure"}`;
  const nodes = result.members.map(({ name }) => name);
  const diagram = { events: pastOf(result), nodes, title, trace };
  const { operationId, atUs } = violation?.place ?? {};
  const spot = {
    ...(operationId === undefined ? {} : { operationId }),
    ...(atUs === undefined ? {} : { atUs }),
  };
  const marked = violation === undefined ? {} : { violation: { text: violation.message, ...spot } };
  return [
    ["space-time.svg", renderSpaceTimeSvg(diagram)],
    ["space-time.txt", renderSpaceTimeText(diagram)],
    ["history.html", renderHistoryHtml({ history, title, ...marked })],
  ];
}

/**
 * The events that lead to the violation. If clients saw it, these end with the last event at their
 * member before it.
 */
function pastOf({ trace, violation }: RunResult): readonly TraceEvent[] {
  const end = trace.findLast(({ kind }) => kind === "violation");
  if (end === undefined) return [];
  const { member, atUs } = violation?.place ?? {};
  const seen = trace.findLast((event) => event.node === member && event.atUs <= (atUs ?? 0));
  if (member === undefined || seen === undefined) {
    return causalPast(trace, end.id, { limit: pastMax, skip: dull });
  }
  return [...causalPast(trace, seen.id, { limit: pastMax - 1, skip: dull }), end];
}

export function shrunk(plan: Plan, invariant: string, without: ReadonlySet<string>): Plan {
  const run = (candidate: Plan): { invariant: string | undefined; atMs: number } => {
    const { violation, atMs } = runPlan(candidate, { without });
    return { invariant: violation?.invariant, atMs };
  };
  return shrink(plan, invariant, { run, runsMax }).plan;
}

function reportText(
  plans: { readonly plan: Plan; readonly small: Plan; readonly planFile: string },
  result: RunResult,
): string {
  const { plan, small, planFile } = plans;
  return renderReport({
    invariant: result.violation?.invariant ?? "none",
    text: result.violation?.message ?? "the failure did not come again",
    atMs: result.atMs,
    seed: plan.seed,
    again: [`lockstep sim --plan ${planFile}`, `lockstep sim --seed ${plan.seed}`],
    plan: planLines(small),
    sizeBefore: sizeOf(plan),
    sizeAfter: sizeOf(small),
    members: result.members,
    past: pastOf(result),
  });
}

function planLines(plan: Plan): string[] {
  const { swarm, faults, ops } = plan;
  const { weather, ...rest } = swarm;
  const world = Object.entries({ ...rest, ...weather }).map(([name, value]) => `${name} ${value}`);
  const events = [
    ...faults.map(({ id: _id, atMs, ...fault }) => ({ atMs, text: JSON.stringify(fault) })),
    ...ops.map(({ atMs, client, member, action }) => ({
      atMs,
      text: `client ${client} asks member ${member}: ${JSON.stringify(action)}`,
    })),
  ].sort((a, b) => a.atMs - b.atMs);
  return [
    world.join(", "),
    ...events.map(({ atMs, text }) => `${`${atMs}`.padStart(6)} ms ${text}`),
  ];
}
