/**
 * `lockstep sim designs`: runs the designs of keeping the consistent index and prints what each
 * gets wrong. Exit 0: every design behaved as it did in history. 1: one did not, or a replayed plan
 * breaks the law. 2: the command line or a file is wrong.
 */
import fs from "node:fs";
import { parseArgs } from "node:util";
import {
  type CaseResult,
  cases,
  isAsExpected,
  runCase,
} from "../verify/studies/consistent-index/campaign.js";
import { renderSvg } from "../verify/studies/consistent-index/diagram-svg.js";
import { renderText } from "../verify/studies/consistent-index/diagram-text.js";
import { renderPage } from "../verify/studies/consistent-index/page.js";
import { type DesignName, designNames } from "../verify/studies/consistent-index/plan.js";
import { readPlan } from "../verify/studies/consistent-index/read-plan.js";
import { replayStory } from "../verify/studies/consistent-index/replay.js";
import { reportOf } from "../verify/studies/consistent-index/report-json.js";

/** The outside world, so that a test can observe it. */
export interface SimIo {
  out(text: string): void;
  error(text: string): void;
  /** @throws errors of the file system */
  readFile(path: string): string;
  writeFile(path: string, text: string): void;
  nowMs(): number;
}

export const processIo: SimIo = {
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  readFile: (path) => fs.readFileSync(path, "utf8"),
  writeFile: (path, text) => fs.writeFileSync(path, text),
  nowMs: () => performance.now(),
};

const usage = `Usage: lockstep sim designs [flags]

Runs the designs of keeping the consistent index and explains what each gets wrong.

  --design NAME   only this one: ${designNames.join(", ")}
  --seeds N       seeds 1 to N of each case (500)
  --svg FILE      write the space-time diagram of the lost entry (with --design: of its first failure)
  --json          print the results as JSON, with the shrunk plans
  --replay FILE   run one plan of that JSON again
`;

const seedsDefault = 500;
const seedsMax = 1_000_000;

interface Flags {
  readonly design: DesignName | undefined;
  readonly seeds: number;
  readonly svg: string | undefined;
  readonly json: boolean;
  readonly replay: string | undefined;
}

export function runSimDesigns(words: readonly string[], io: SimIo): number {
  if (words.includes("--help") || words.includes("-h")) {
    io.out(usage);
    return 0;
  }
  const flags = parseFlags(words);
  if (typeof flags === "string") {
    io.error(`lockstep sim designs: ${flags}\n\n${usage}`);
    return 2;
  }
  try {
    return flags.replay === undefined ? runCases(flags, io) : replay(flags.replay, flags, io);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    io.error(`lockstep sim designs: ${error.message}\n`);
    return 2;
  }
}

/** Reads the flags. A text: the error in them. */
function parseFlags(words: readonly string[]): Flags | string {
  let values: ReturnType<typeof parseWords>;
  try {
    values = parseWords(words);
  } catch (error) {
    return (error as Error).message;
  }
  const { svg, replay, json = false } = values;
  const design = designNames.find((name) => name === values.design);
  if (values.design !== undefined && design === undefined) {
    return `unknown design "${values.design}"`;
  }
  const seeds = Number(values.seeds ?? seedsDefault);
  if (!Number.isSafeInteger(seeds) || seeds < 1 || seeds > seedsMax) {
    return `--seeds takes a whole number from 1 to ${seedsMax}`;
  }
  return { design, seeds, svg, json, replay };
}

/** @throws TypeError for an unknown flag */
function parseWords(words: readonly string[]) {
  const text = { type: "string" } as const;
  const json = { type: "boolean" } as const;
  const options = { design: text, seeds: text, svg: text, json, replay: text };
  return parseArgs({ args: [...words], options }).values;
}

function runCases(flags: Flags, io: SimIo): number {
  const { design, seeds } = flags;
  const chosen = cases.filter((subject) => design === undefined || subject.design === design);
  const startMs = io.nowMs();
  const results = chosen.map((subject) => runCase(subject, { first: 1, count: seeds }));
  const elapsedMs = Math.round(io.nowMs() - startMs);
  if (flags.json) io.out(`${JSON.stringify(reportOf(results), undefined, 2)}\n`);
  else {
    io.out(renderPage({ results, seeds, only: design }));
    io.out(`${results.length} cases of ${seeds} seeds in ${elapsedMs} ms.\n`);
    const lost = results.find((result) => result.case.name === "enhanced");
    if (lost !== undefined) io.out(catchAgain(lost, io));
  }
  if (flags.svg !== undefined && !writeSvg(flags.svg, results, io)) return 2;
  return results.every(isAsExpected) ? 0 : 1;
}

/**
 * Finds and shrinks the lost entry again. Prints how long that took and whether the plan is the
 * same.
 */
function catchAgain(lost: CaseResult, io: SimIo): string {
  if (lost.firstHarmSeed === undefined) return "The lost entry was not found.\n";
  const startMs = io.nowMs();
  const again = runCase(lost.case, { first: 1, count: lost.firstHarmSeed });
  const elapsedMs = Math.round(io.nowMs() - startMs);
  const isSame = JSON.stringify(again.story?.plan) === JSON.stringify(lost.story?.plan);
  const events = again.story?.eventsAfter ?? 0;
  return (
    `The lost entry, once more from nothing: ${lost.firstHarmSeed} seed(s), ${events} events, ` +
    `${elapsedMs} ms, ${isSame ? "the same plan" : "ANOTHER PLAN"}.\n`
  );
}

/** Draws the lost entry if the stories contain it, else the first failure. */
function writeSvg(path: string, results: readonly CaseResult[], io: SimIo): boolean {
  const lost = results.find((result) => result.case.name === "enhanced");
  const story = lost?.story ?? results.find((result) => result.story !== undefined)?.story;
  if (story === undefined) {
    io.error("lockstep sim designs: nothing failed, so there is no diagram to write\n");
    return false;
  }
  io.writeFile(path, renderSvg(story));
  return true;
}

function replay(path: string, flags: Flags, io: SimIo): number {
  const plan = readPlan(io.readFile(path));
  if (typeof plan === "string") {
    io.error(`lockstep sim designs: ${path} is no plan: ${plan}\n`);
    return 2;
  }
  const story = replayStory(plan);
  if (story === undefined) {
    io.out("The law holds in every crash image of this plan.\n");
    return 0;
  }
  io.out(`${plan.design}: ${story.finding.kind}\n\n${renderText(story)}`);
  if (flags.svg !== undefined) io.writeFile(flags.svg, renderSvg(story));
  return 1;
}
