/**
 * `lockstep check FILE`: tells whether a history of clients is linearizable. Exit 0: it is. 1: it
 * is not; the command shows the first operation that fits nowhere. 2: the command could not read
 * the file or decide, or the command line is wrong.
 */
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { HistoryFormatError } from "../verify/history/history-format-error.js";
import {
  checkEtcdReport,
  checkHistory,
  type EtcdView,
  type HistoryCheck,
  type ModelName,
  modelNames,
} from "../verify/linearizability/check-history.js";
import { renderCalls, renderFailure } from "../verify/linearizability/failure-view.js";
import {
  clientOfFile,
  type ReportFile,
} from "../verify/linearizability/readers/etcd-report-reader.js";
import { formatNames } from "../verify/linearizability/readers/recognise-format.js";

const memoryMibDefault = 1_024;
const timeoutSecondsDefault = 300;

const usage = `Usage: lockstep check FILE [flags]

Checks whether a history of clients is linearizable. Reads Lockstep's histories, porcupine's
key-value histories, and Jepsen's of a register (log lines, EDN, JSON). FILE may be a folder with
a report of etcd's robustness tests (client-N/operations.json and client-N/watch.json). See
docs/linearizability.md.

  --model NAME   what the history must be of: ${modelNames.join(", ")} (what its format is for)
  --memory MIB   memory of the search; when it is used up the verdict is unknown (${memoryMibDefault})
  --timeout S    seconds until the verdict is unknown (${timeoutSecondsDefault})
  --json         print the result as JSON
  --all-compactions-known
                 nobody but the clients of a Lockstep history compacts: then a refusal for a
                 compaction that none of them asked for is wrong, too

Exit: 0 linearizable, 1 not linearizable, 2 unknown, unreadable or wrong usage.
`;

/** The outside world, so that a test can observe it. */
export interface CheckIo {
  out(text: string): void;
  error(text: string): void;
  /** @throws errors of the file system */
  readFile(path: string): string;
  /** Paths of the files in and below a folder; undefined: the path is no folder. */
  listFolder(path: string): readonly string[] | undefined;
  nowMs(): number;
}

export const checkIo: CheckIo = {
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  readFile: (path) => fs.readFileSync(path, "utf8"),
  listFolder: (path) =>
    fs.statSync(path).isDirectory()
      ? fs.readdirSync(path, { recursive: true, encoding: "utf8" }).toSorted()
      : undefined,
  nowMs: () => performance.now(),
};

interface Flags {
  readonly file: string;
  readonly model: ModelName | undefined;
  readonly bytesMax: number;
  readonly timeoutMs: number;
  readonly isJson: boolean;
  readonly areAllCompactionsKnown: boolean;
}

export function runCheck(words: readonly string[], io: CheckIo): number {
  if (words.includes("--help") || words.includes("-h")) {
    io.out(usage);
    return 0;
  }
  let flags: Flags;
  try {
    flags = parseFlags(words);
  } catch (error) {
    io.error(`lockstep check: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  try {
    return checkFile(flags, io);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    io.error(`lockstep check: ${flags.file}: ${error.message}\n`);
    return 2;
  }
}

/**
 * True for an error of the file system, or of a reader about the file. Anything else is a bug of
 * this program.
 */
function isUnreadable(error: unknown): error is Error {
  return error instanceof HistoryFormatError || (error instanceof Error && "code" in error);
}

function checkFile(flags: Flags, io: CheckIo): number {
  const { file, model, bytesMax, timeoutMs, isJson, areAllCompactionsKnown } = flags;
  const startMs = io.nowMs();
  const options = {
    ...(model === undefined ? {} : { model }),
    ...{ bytesMax, areAllCompactionsKnown },
    isTimeUp: () => io.nowMs() - startMs > timeoutMs,
  };
  const listed = io.listFolder(file);
  const result =
    listed === undefined
      ? checkHistory(io.readFile(file), options)
      : checkEtcdReport(reportFiles(file, listed, io), options);
  const elapsedMs = Math.round(io.nowMs() - startMs);
  const text = isJson
    ? JSON.stringify({ file, ...result, elapsedMs }, undefined, 2)
    : textOf(result);
  io.out(`${text}\n`);
  const steps = result.steps === undefined ? "" : `${result.steps} steps, `;
  if (!isJson) io.out(`${steps}${elapsedMs} ms\n`);
  return { linearizable: 0, not: 1, unknown: 2 }[result.verdict];
}

/** @throws HistoryFormatError if the folder holds no report */
function reportFiles(
  folder: string,
  listed: readonly string[],
  io: CheckIo,
): readonly ReportFile[] {
  const paths = listed.filter((name) => clientOfFile(name) !== undefined);
  const problem =
    "this folder has no client-N/operations.json, as etcd's robustness tests write it";
  if (paths.length === 0) throw new HistoryFormatError(1, problem);
  return paths.map((name) => ({ path: name, text: io.readFile(path.join(folder, name)) }));
}

function textOf(result: HistoryCheck): string {
  const { format, operations, unknowns, parts, verdict, reason, failure, etcd } = result;
  const lost = unknowns === 0 ? "" : `, ${unknowns} without an answer`;
  const split = parts === 1 ? "" : `, ${parts} independent parts`;
  const watches = etcd === undefined ? "" : `, ${etcd.watches} watches`;
  const head = `${formatNames[format]}: ${operations} operations${lost}${split}${watches}`;
  if (verdict === "linearizable") return `${head}\nlinearizable`;
  if (etcd !== undefined) return `${head}\n${etcdText(verdict, etcd)}`;
  if (verdict === "not") {
    return `${head}\nnot linearizable\n\n${failure === undefined ? "" : renderFailure(failure)}`;
  }
  const furthest =
    failure === undefined ? "" : `; it came as far as line ${failure.blocked.number}`;
  return `${head}\nunknown: ${reason}${furthest}`;
}

function etcdText(verdict: "not" | "unknown", { texts, around }: EtcdView): string {
  if (verdict === "unknown") return `unknown: ${texts.join("\n  ")}`;
  const found = texts.map((text) => `  ${text}\n`).join("");
  if (around.length === 0) return `not linearizable\n\n${found}`;
  // The first column, the place in an order, does not exist here.
  const table = renderCalls(around, ["", "id", "client", "operation"]);
  return `not linearizable\n\n${found}\nAround it (?: no answer came):\n\n${table}`;
}

/** @throws Error with a text for people */
function parseFlags(words: readonly string[]): Flags {
  const text = { type: "string" } as const;
  const options = {
    ...({ model: text, memory: text, timeout: text } as const),
    ...({ json: { type: "boolean" }, "all-compactions-known": { type: "boolean" } } as const),
  } as const;
  const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true });
  const [file, ...more] = positionals;
  if (file === undefined) throw new Error("name a file");
  if (more.length > 0) throw new Error(`one file at a time: ${more.join(" ")}`);
  const model = modelNames.find((name) => name === values.model);
  if (values.model !== undefined && model === undefined) {
    throw new Error(`unknown model "${values.model}"`);
  }
  return {
    file,
    model,
    bytesMax: positive("--memory", values.memory, memoryMibDefault) * 1_024 * 1_024,
    timeoutMs: positive("--timeout", values.timeout, timeoutSecondsDefault) * 1_000,
    isJson: values.json ?? false,
    areAllCompactionsKnown: values["all-compactions-known"] ?? false,
  };
}

function positive(flag: string, text: string | undefined, byDefault: number): number {
  const value = text === undefined ? byDefault : Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${flag} ${text}: give a number above 0`);
}
