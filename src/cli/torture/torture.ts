/**
 * `lockstep torture`: qualifies a real cluster: of this build, of an etcd binary, or one that runs
 * elsewhere. Exit 0: clean. 1: a promise was broken. 2: the command could not run, or cannot tell;
 * the reason is on standard error.
 */
import { randomInt } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { faultKinds, kindRules } from "../../torture/faults/fault-kinds.js";
import { profiles } from "../../torture/traffic/profiles.js";
import { mutants } from "../../verify/mutation/catalogue.js";
import { processMutants } from "../../verify/mutation/process-mutants.js";
import { buildMutant } from "../mutants/mutant-build.js";
import { ownVersion } from "../version.js";
import { Interrupts } from "./interrupts.js";
import { mergeReports } from "./merge-reports.js";
import { etcdProgram, lockstepProgram, ownLauncher, type Program } from "./program.js";
import { reproduceIssue } from "./reproduce-issue.js";
import { readTortureFlags, type TortureFlags, tortureUsage } from "./torture-flags.js";
import { couldNotRun, exitCodes, tortureOnce } from "./torture-run.js";

/** The files that a run writes. It replaces an older run's files of these names. */
const outputs =
  /^(report\.(json|html)|history\.jsonl|plan\.json|m\d\.(log|data|data\.kept|volume|clock|disk)|seed-\d+)$/;

export async function runTortureCommand(words: readonly string[]): Promise<number> {
  if (words.includes("--help") || words.includes("-h")) return print(tortureUsage.trimEnd());
  if (words.includes("--list-profiles")) return listProfiles();
  if (words.includes("--list-faults")) return listFaults();
  if (words[0] === "merge") return mergeReports(words.slice(1));
  let flags: TortureFlags;
  let program: Program | undefined;
  try {
    flags = readTortureFlags(words, randomInt(2 ** 32));
    program = flags.endpoints.length > 0 ? undefined : await programOf(flags);
    prepareFolder(flags.report);
  } catch (error) {
    return complain(`${(error as Error).message} (see lockstep torture --help)`);
  }
  const interrupts = new Interrupts();
  interrupts.hold();
  try {
    if (flags.reproduce === undefined) return await campaign(flags, program, interrupts);
    if (program === undefined)
      return complain("--reproduce starts its own members: no --endpoints");
    return await reproduceIssue(flags.reproduce, { report: flags.report, program });
  } catch (error) {
    return complain((error as Error).message);
  } finally {
    interrupts.release();
  }
}

/**
 * Makes all runs of this shard, one after the other. Returns the worst exit code; the first
 * violation ends it.
 */
async function campaign(
  flags: TortureFlags,
  program: Program | undefined,
  interrupts: Interrupts,
): Promise<number> {
  const { runs, shard, seed, report } = flags;
  let worst = 0;
  for (let run = shard.index; run < runs && !interrupts.isAborted; run += shard.of) {
    const own = seed + run;
    const folder = runs === 1 ? report : path.join(report, `seed-${own}`);
    mkdirSync(folder, { recursive: true });
    const code = await tortureOnce({ ...flags, seed: own, report: folder }, program, interrupts);
    worst = Math.max(worst, code);
    if (code === exitCodes.violation) return code;
    if (code !== 0 && runs === Number.POSITIVE_INFINITY) return code;
  }
  return worst;
}

/** @throws Error with a text for people */
async function programOf({ etcd, mutant }: TortureFlags): Promise<Program> {
  if (etcd !== undefined) return etcdProgram(etcd);
  if (mutant === undefined) return lockstepProgram(ownLauncher(), ownVersion());
  const known = [...mutants, ...processMutants];
  const wanted = known.find(({ id }) => id === mutant);
  if (wanted === undefined) {
    throw new Error(`--mutant knows ${known.map(({ id }) => id).join(", ")}, not "${mutant}"`);
  }
  print(`mutant ${wanted.id}: ${wanted.title}`);
  return lockstepProgram((await buildMutant(wanted)).main, `${ownVersion()} with ${wanted.id}`);
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

function listProfiles(): number {
  for (const { name, about } of profiles) print(`${name.padEnd(12)} ${about}`);
  return 0;
}

function listFaults(): number {
  for (const kind of faultKinds) {
    const { group, about } = kindRules[kind];
    print(`${group.padEnd(8)} ${kind.padEnd(12)} ${about}`);
  }
  return 0;
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}
