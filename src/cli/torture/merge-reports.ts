/**
 * `lockstep torture merge DIR...`: makes one report of the reports of many runs, also of several
 * machines.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

interface Report {
  readonly file: string;
  readonly target: string;
  readonly verdict: string;
  readonly text: string;
  readonly run: { readonly seed: number; readonly profile: string };
  readonly tried: {
    readonly operations: Readonly<Record<string, number>>;
    readonly faults: Readonly<Record<string, number>>;
    readonly comparisons: number;
  };
}

/**
 * Merges. Exit 1: a run found a violation. 2: a run could not tell, there is no report, or one
 * cannot be read.
 */
export function mergeReports(folders: readonly string[]): number {
  let reports: readonly Report[];
  try {
    if (folders.length === 0) throw new Error("merge takes the folders of --report");
    reports = folders.flatMap(reportFiles).map(readReport);
    if (reports.length === 0) throw new Error(`no report.json below ${folders.join(", ")}`);
  } catch (error) {
    process.stderr.write(`lockstep torture: ${(error as Error).message}\n`);
    return 2;
  }
  const print = (text: string): boolean => process.stdout.write(`${text}\n`);
  for (const { file, target, verdict, text, run } of reports) {
    if (verdict === "clean") continue;
    print(`${verdict.toUpperCase()}: ${text}`);
    print(`  ${target}, profile ${run.profile}, --seed ${run.seed}, ${path.dirname(file)}`);
  }
  const verdicts = sums(reports.map(({ verdict }) => ({ [verdict]: 1 })));
  print(`${reports.length} runs: ${listed(verdicts)}`);
  print(`operations: ${listed(sums(reports.map(({ tried }) => tried.operations)))}`);
  print(`members harmed: ${listed(sums(reports.map(({ tried }) => tried.faults)))}`);
  const compared = reports.reduce((sum, { tried }) => sum + tried.comparisons, 0);
  print(`comparisons of all members after faults: ${compared}`);
  if ((verdicts.violation ?? 0) > 0) return 1;
  return verdicts.clean === reports.length ? 0 : 2;
}

function reportFiles(folder: string): readonly string[] {
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no folder`);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => path.basename(name) === "report.json")
    .toSorted()
    .map((name) => path.join(folder, name));
}

function readReport(file: string): Report {
  const report = JSON.parse(readFileSync(file, "utf8")) as Report & { readonly schema: number };
  if (report.schema !== 2) throw new Error(`${file} has schema ${report.schema}, not 2`);
  return { ...report, file };
}

function sums(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const one of counts) {
    for (const [name, count] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + count;
  }
  return sum;
}

function listed(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}
