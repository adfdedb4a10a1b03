/**
 * `lockstep torture`: qualifies a real cluster, of this build or of an etcd binary. Exit 0: clean. 1: a
 * promise was broken. 2: it could not run, or the verdict cannot be told; the reason is on standard
 * error.
 */
import { randomInt } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { nodeClock } from "../../platform/node/clock.js";
import type { Issue } from "../../torture/reproduce/issues.js";
import { Scene } from "../../torture/reproduce/scene.js";
import { runTorture, type TortureProgress, type TortureResult } from "../../torture/run.js";
import { countTried, judgeRun, type TortureVerdict } from "../../torture/verdict.js";
import { formatHistory } from "../../verify/history/history-file.js";
import { renderHistoryHtml } from "../../verify/report/history-html.js";
import { ownVersion } from "../version.js";
import { etcdProgram, lockstepProgram, ProcessStage, type Program } from "./process-stage.js";
import { readTortureFlags, type TortureFlags, tortureUsage } from "./torture-flags.js";

const exitCodes = { clean: 0, violation: 1, unknown: 2 } as const;
const couldNotRun = 2;
const judgeMs = 300_000;
const watchersOf = (members: number): number => members;
/** What a run writes; an older run's files of these names are replaced. */
const outputs = /^(report\.(json|html)|history\.jsonl|plan\.json|m\d\.(log|data))$/;

export async function runTortureCommand(words: readonly string[]): Promise<number> {
  if (words.includes("--help") || words.includes("-h")) {
    process.stdout.write(tortureUsage);
    return 0;
  }
  let flags: TortureFlags;
  let program: Program;
  try {
    flags = readTortureFlags(words, randomInt(2 ** 32));
    program =
      flags.etcd === undefined
        ? lockstepProgram(process.argv[1] as string, ownVersion())
        : etcdProgram(flags.etcd);
    prepareFolder(flags.report);
  } catch (error) {
    return complain(`${(error as Error).message} (see lockstep torture --help)`);
  }
  const aborting = new AbortController();
  const abort = (): void => aborting.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, abort);
  try {
    return flags.reproduce === undefined
      ? await torture(flags, program, aborting.signal)
      : await reproduce(flags.reproduce, flags, program);
  } catch (error) {
    return complain((error as Error).message);
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.removeListener(signal, abort);
  }
}

function complain(text: string): number {
  process.stderr.write(`lockstep torture: ${text}\n`);
  return couldNotRun;
}

/** @throws the file system's errors, and if the folder holds files of something else */
function prepareFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(folder);
  const other = names.find((name) => !outputs.test(name));
  if (other !== undefined) {
    throw new Error(`--report ${folder} holds "${other}", which is not of a torture run`);
  }
  for (const name of names) rmSync(path.join(folder, name), { recursive: true });
}

async function torture(flags: TortureFlags, program: Program, aborted: AbortSignal) {
  const { members, faults, durationMs, seed, report } = flags;
  const kinds = faults.length === 0 ? "no faults" : faults.join(", ");
  print(
    `${program.version}, ${members} members, ${kinds}, ${durationMs / 1_000} s, --seed ${seed}`,
  );
  const stage = await ProcessStage.create(program, report, members);
  let result: TortureResult;
  try {
    await stage.startAll();
    result = await runTorture(
      { ...flags, watchers: watchersOf(members) },
      { clock: nodeClock, stage, progress: tell, isAborted: () => aborted.aborted },
    );
  } finally {
    await stage.end();
  }
  if (aborted.aborted) return complain("ended by a signal; nothing was judged");
  const isAnswered = result.history.operations.some(({ outcome }) => outcome.kind === "ok");
  if (!isAnswered && result.findings.length === 0) return complain("no request was answered");
  const endMs = nodeClock.now() + judgeMs;
  const stepsMax = Number.MAX_SAFE_INTEGER;
  const verdict = judgeRun(result, { stepsMax, isTimeUp: () => nodeClock.now() > endMs });
  writeReport(flags, { program, result, verdict });
  if (verdict.kind === "clean") {
    for (const member of stage.members) rmSync(stage.dataFolder(member), { recursive: true });
  }
  printVerdict(verdict, flags);
  return exitCodes[verdict.kind];
}

/** Exit 1: the issue shows. 0: it does not. */
async function reproduce(issue: Issue, flags: TortureFlags, program: Program): Promise<number> {
  const { number, title, promise, members } = issue;
  print(`etcd #${number} against ${program.version}: ${title}`);
  print(`promised: ${promise}`);
  const withFlags = { ...program, args: [...program.args, ...issue.flags] };
  const stage = await ProcessStage.create(withFlags, flags.report, members);
  const scene = new Scene(nodeClock, stage);
  const startMs = nodeClock.now();
  try {
    await stage.startAll();
    const { isShown, text } = await issue.run(scene);
    print(`seen: ${text}`);
    const seconds = ((nodeClock.now() - startMs) / 1_000).toFixed(1);
    print(`${isShown ? "BROKEN" : "KEPT"}, after ${seconds} s`);
    return isShown ? exitCodes.violation : exitCodes.clean;
  } finally {
    scene.close();
    await stage.end();
    for (const member of stage.members)
      rmSync(stage.dataFolder(member), { recursive: true, force: true });
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function tell(progress: TortureProgress): void {
  const { operations, acknowledged, faultsDone, faultsPlanned, findings, leftMs } = progress;
  print(
    `${operations} operations, ${acknowledged} acknowledged; ${faultsDone} of ${faultsPlanned} faults; ${findings} violations; ${Math.ceil(leftMs / 1_000)} s left`,
  );
}

function printVerdict({ kind, text, findings }: TortureVerdict, { report, seed }: TortureFlags) {
  const heads = { clean: "CLEAN", violation: "VIOLATION", unknown: "UNKNOWN" } as const;
  print(`${heads[kind]}: ${text}`);
  for (const finding of findings.slice(1)) print(`  ${finding}`);
  print(`report: ${path.join(report, "report.html")}; again: --seed ${seed}`);
}

function writeReport(
  flags: TortureFlags,
  run: {
    readonly program: Program;
    readonly result: TortureResult;
    readonly verdict: TortureVerdict;
  },
): void {
  const { program, result, verdict } = run;
  const { history, plan } = result;
  const write = (name: string, text: string): void =>
    writeFileSync(path.join(flags.report, name), text);
  const { members, faults, durationMs, seed, clients, keys, paceMs } = flags;
  const json = {
    ...{ schema: 1, target: program.version, verdict: verdict.kind, text: verdict.text },
    findings: verdict.findings,
    operationIds: verdict.operationIds,
    run: { members, faults, durationMs, seed, clients, keys, paceMs },
    tried: countTried(result),
  };
  write("report.json", `${JSON.stringify(json, undefined, 2)}\n`);
  write("plan.json", `${JSON.stringify(plan, undefined, 2)}\n`);
  write("history.jsonl", formatHistory(history));
  const title = `${program.version}, ${members} members, ${faults.join(", ")}, seed ${seed}: ${verdict.kind}`;
  const [operationId] = verdict.operationIds;
  const place = operationId === undefined ? {} : { operationId };
  const violation = verdict.kind === "violation" ? { text: verdict.text, ...place } : undefined;
  const page = violation === undefined ? { history, title } : { history, title, violation };
  write("report.html", renderHistoryHtml(page));
}
