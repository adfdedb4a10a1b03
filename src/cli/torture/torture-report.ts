/** Writes the files of a run: report.json, plan.json, history.jsonl, report.html. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { availabilityGaps } from "../../torture/judge/availability.js";
import { countTried, type TortureVerdict } from "../../torture/judge/verdict.js";
import type { TortureResult } from "../../torture/run.js";
import { formatHistory } from "../../verify/history/history-file.js";
import { renderHistoryHtml } from "../../verify/report/history-html.js";
import type { TortureFlags } from "./torture-flags.js";

/** Faults that the machine or the target does not permit: the reason, by kind of fault. */
export type NotPermitted = Readonly<Record<string, string>>;

export interface ReportedRun {
  readonly target: string;
  readonly result: TortureResult;
  readonly verdict: TortureVerdict;
  readonly notPermitted: NotPermitted;
}

export function writeReport(flags: TortureFlags, run: ReportedRun): void {
  const { target, result, verdict, notPermitted } = run;
  const { history, plan } = result;
  const write = (name: string, text: string): void =>
    writeFileSync(path.join(flags.report, name), text);
  const { members, faults, durationMs, seed, clients, keys, paceMs, profile, memberFlags } = flags;
  const json = {
    ...{ schema: 2, target, verdict: verdict.kind, text: verdict.text },
    findings: verdict.findings,
    operationIds: verdict.operationIds,
    run: {
      ...{ members, memberFlags, profile: profile.name, faults },
      ...{ durationMs, seed, clients, keys, paceMs },
    },
    notPermitted,
    tried: countTried(result),
    availability: availabilityGaps(history),
  };
  write("report.json", `${JSON.stringify(json, undefined, 2)}\n`);
  write("plan.json", `${JSON.stringify(plan, undefined, 2)}\n`);
  write("history.jsonl", formatHistory(history));
  const kinds = faults.length === 0 ? "no faults" : faults.join(", ");
  const title = `${target}, ${members} members, ${profile.name}, ${kinds}, seed ${seed}: ${verdict.kind}`;
  const [operationId] = verdict.operationIds;
  const place = operationId === undefined ? {} : { operationId };
  const violation = verdict.kind === "violation" ? { text: verdict.text, ...place } : undefined;
  const page = violation === undefined ? { history, title } : { history, title, violation };
  write("report.html", renderHistoryHtml(page));
}
