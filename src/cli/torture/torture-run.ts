/** One run of `lockstep torture`: sets the stage, runs, judges, reports, and cleans up. */
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { nodeClock } from "../../platform/node/clock.js";
import { nodeHash } from "../../platform/node/hash.js";
import { type FaultKind, kindRules, whyNot } from "../../torture/faults/fault-kinds.js";
import { type FaultPlan, parseFaultPlan } from "../../torture/faults/fault-plan.js";
import { judgeRun, type TortureVerdict } from "../../torture/judge/verdict.js";
import {
  runTorture,
  type TortureOptions,
  type TortureProgress,
  type TortureResult,
} from "../../torture/run.js";
import { first } from "../../torture/traffic/draw-request.js";
import { Dice } from "../../verify/sim/plan/dice.js";
import { EndpointStage } from "./endpoint-stage.js";
import type { Interrupts } from "./interrupts.js";
import { logFindings } from "./log-findings.js";
import { ProcessStage } from "./process-stage.js";
import type { Program } from "./program.js";
import type { TortureFlags } from "./torture-flags.js";
import { type NotPermitted, type ReportedRun, writeReport } from "./torture-report.js";

export const exitCodes = { clean: 0, violation: 1, unknown: 2 } as const;
export const couldNotRun = 2;
const judgeMs = 300_000;

/** Makes one run. Resolves to the exit code. */
export function tortureOnce(
  flags: TortureFlags,
  program: Program | undefined,
  interrupts: Interrupts,
): Promise<number> {
  return program === undefined
    ? onCluster(flags, interrupts)
    : onProcesses(flags, program, interrupts);
}

async function onProcesses(
  flags: TortureFlags,
  program: Program,
  interrupts: Interrupts,
): Promise<number> {
  const { members, seed, report } = flags;
  const hasProxies = flags.faults.some((kind) => kindRules[kind].lane === "network");
  const rng = new Dice(seed).fork("stage").sequence();
  interrupts.hold();
  const stage = await ProcessStage.create({
    program: { ...program, args: [...program.args, ...flags.memberFlags] },
    ...{ folder: report, count: members, hasProxies, rng },
    // A plan may name it, too; without a volume nothing would happen to etcd then.
    hasVolumes:
      flags.faults.includes("full-disk") || (flags.plan !== undefined && program.kind === "etcd"),
  });
  let result: TortureResult;
  let possibly: ReturnType<typeof possible>;
  try {
    possibly = possible(flags, stage);
    const { kinds, notPermitted } = possibly;
    announce(flags, `${program.version}, ${members} members`, kinds);
    for (const [kind, why] of Object.entries(notPermitted)) print(`not tried: ${kind}: ${why}`);
    const plan = readPlan(flags, stage);
    await stage.startAll();
    const options = { ...optionsOf(flags, members), faults: kinds };
    result = await runTorture(plan === undefined ? options : { ...options, plan }, {
      ...{ clock: nodeClock, createSha256: nodeHash.createSha256, stage, progress: tell },
      isAborted: () => interrupts.isAborted,
    });
  } finally {
    await stage.end();
  }
  const { kinds, notPermitted } = possibly;
  const isDiskHarmed = [...result.hits.keys()].some((kind) => groupOf(kind) === "disk");
  const words = stage.members.flatMap((member) =>
    logFindings(member, {
      ...{ file: stage.logFile(member), isDiskHarmed, fullSpans: stage.fullSpans.of(member) },
    }),
  );
  result = { ...result, findings: [...result.findings, ...words] };
  const run = { target: program.version, result, notPermitted };
  const code = judgeAndReport({ ...flags, faults: kinds }, run, interrupts);
  if (code === exitCodes.clean) removeData(stage);
  return code;
}

function groupOf(kind: string): string {
  return kindRules[kind as FaultKind].group;
}

/** A run on a cluster that runs elsewhere: traffic and checks only. */
async function onCluster(flags: TortureFlags, interrupts: Interrupts): Promise<number> {
  const stage = new EndpointStage(flags.endpoints, flags.access);
  announce(flags, `${stage.members.join(", ")}, keys under ${first}`, []);
  print("no faults, and no compaction, defragmentation or hash: they would touch other keys");
  const revision = await stage.prepare();
  let result: TortureResult;
  try {
    const options = { ...optionsOf(flags, stage.members.length), shared: { revision } };
    result = await runTorture(options, {
      ...{ clock: nodeClock, createSha256: nodeHash.createSha256, stage, progress: tell },
      isAborted: () => interrupts.isAborted,
    });
  } finally {
    await stage.clean();
  }
  const run = { target: flags.endpoints.join(","), result, notPermitted: {} };
  return judgeAndReport(flags, run, interrupts);
}

function optionsOf(flags: TortureFlags, watchers: number): TortureOptions {
  const { seed, durationMs, profile, clients, keys, paceMs } = flags;
  return { seed, durationMs, profile, clients, keys, paceMs, faults: [], watchers };
}

function judgeAndReport(
  flags: TortureFlags,
  run: Omit<ReportedRun, "verdict">,
  interrupts: Interrupts,
): number {
  const { result } = run;
  if (interrupts.isAborted) return complain("ended by a signal; nothing was judged");
  const isAnswered = result.history.operations.some(({ outcome }) => outcome.kind === "ok");
  if (!isAnswered && result.findings.length === 0) return complain("no request was answered");
  const endMs = nodeClock.now() + judgeMs;
  const stepsMax = Number.MAX_SAFE_INTEGER;
  interrupts.release();
  const verdict = judgeRun(result, {
    ...{ stepsMax, isTimeUp: () => nodeClock.now() > endMs },
    othersCompact: flags.endpoints.length > 0 || flags.memberFlags.some(isCompacting),
  });
  writeReport(flags, { ...run, verdict });
  printVerdict(verdict, flags);
  return exitCodes[verdict.kind];
}

function isCompacting(flag: string): boolean {
  return /^--auto-compaction/.test(flag);
}

function announce(flags: TortureFlags, target: string, kinds: readonly FaultKind[]): void {
  const { profile, durationMs, seed } = flags;
  const named = kinds.length === 0 ? "no faults" : kinds.join(", ");
  const seconds = durationMs / 1_000;
  print(`${target}, profile ${profile.name}, ${named}, ${seconds} s, --seed ${seed}`);
}

/** @throws if a kind that was asked for is not possible */
function possible(
  { faults, areFaultsAsked }: TortureFlags,
  stage: ProcessStage,
): { readonly kinds: readonly FaultKind[]; readonly notPermitted: NotPermitted } {
  const notPermitted: Record<string, string> = {};
  for (const kind of faults) {
    const why = whyNot(kind, stage);
    if (why !== undefined) notPermitted[kind] = why;
  }
  const { noVolumes } = stage;
  if (noVolumes !== undefined && notPermitted["full-disk"] === undefined) {
    notPermitted["full-disk of everything"] =
      `${noVolumes}; a module that Node loads first fails the writes to the log instead`;
  }
  const kinds = faults.filter((kind) => notPermitted[kind] === undefined);
  if (areFaultsAsked && kinds.length === 0 && faults.length > 0) {
    const [kind, why] = Object.entries(notPermitted)[0] as [string, string];
    throw new Error(`no fault of --faults is possible here: ${kind}: ${why}`);
  }
  return { kinds, notPermitted };
}

/** @throws Error that names the file */
function readPlan({ plan }: TortureFlags, stage: ProcessStage): FaultPlan | undefined {
  if (plan === undefined) return undefined;
  try {
    return parseFaultPlan(readFileSync(plan, "utf8"), stage.members);
  } catch (error) {
    throw new Error(`--plan ${plan}: ${(error as Error).message}`);
  }
}

function removeData(stage: ProcessStage): void {
  for (const member of stage.members) {
    for (const folder of [stage.dataFolder(member), `${stage.dataFolder(member)}.kept`]) {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

function complain(text: string): number {
  process.stderr.write(`lockstep torture: ${text}\n`);
  return couldNotRun;
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
