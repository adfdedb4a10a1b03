/**
 * Checks the text of a history: recognises the format, reads it, and checks it against the model
 * for that format. Text that cannot be read is an error with its line. If the check cannot decide,
 * it returns "unknown" with the reason.
 */
import { unreachable } from "../../base/invariant.js";
import { readHistory } from "../history/history-file.js";
import { HistoryFormatError } from "../history/history-format-error.js";
import type { History } from "../history/types.js";
import type { ReadCall } from "./call-pairing.js";
import { type CallWords, kvWords, registerWords } from "./call-words.js";
import { checkCalls } from "./check-calls.js";
import { type CallView, type FailureView, viewFailure } from "./failure-view.js";
import { judgeHistory } from "./judge-history.js";
import { kvModel } from "./kv-model.js";
import type { Model } from "./model.js";
import { operationsAround } from "./operation-words.js";
import { readEtcdOperations } from "./readers/etcd-operations-reader.js";
import { type ReportFile, readEtcdReport } from "./readers/etcd-report-reader.js";
import { readJepsenHistory, readJepsenLog } from "./readers/jepsen-reader.js";
import { readPorcupineKv } from "./readers/porcupine-reader.js";
import { formatNames, type HistoryFormat, recogniseFormat } from "./readers/recognise-format.js";
import { registerModel } from "./register-model.js";
import type { SearchLimits } from "./search.js";

/** The names that --model takes. */
export const modelNames = ["register", "kv", "etcd"] as const;
export type ModelName = (typeof modelNames)[number];

export interface CheckOptions extends SearchLimits {
  /** The model to use; absent: the model for the format. */
  readonly model?: ModelName;
  /** For a store's history: true if only its clients compact (JudgeOptions.othersCompact). */
  readonly areAllCompactionsKnown?: boolean;
}

export interface HistoryCheck {
  readonly format: HistoryFormat;
  readonly model: ModelName;
  readonly operations: number;
  /** Number of operations with an unknown outcome. */
  readonly unknowns: number;
  readonly verdict: "linearizable" | "not" | "unknown";
  /** Why the result is "unknown". */
  readonly reason?: string;
  /** Number of registers or keys that were checked separately. */
  readonly parts: number;
  /** Steps of the search; absent without a search. */
  readonly steps?: number;
  readonly configurations?: number;
  readonly failure?: FailureView;
  /** What the check of a store's history saw. */
  readonly etcd?: EtcdView;
}

export interface EtcdView {
  readonly watches: number;
  /** The error in words, or why the result is "unknown". */
  readonly texts: readonly string[];
  /** The operations that contradict each other and those around them, by time of call. */
  readonly around: readonly CallView[];
}

/** @throws HistoryFormatError */
export function checkHistory(text: string, options: CheckOptions): HistoryCheck {
  const format = recogniseFormat(text);
  const model = modelOf(format);
  if (options.model !== undefined && options.model !== model) {
    const problem = `a ${formatNames[format]} is checked with the model ${model}`;
    throw new HistoryFormatError(1, `${problem}, not ${options.model}`);
  }
  switch (format) {
    case "porcupine":
      return check(readPorcupineKv(text), { format, subject: kv, limits: options });
    case "jepsen-log":
      return check(readJepsenLog(text), { format, subject: register, limits: options });
    case "jepsen":
      return check(readJepsenHistory(text), { format, subject: register, limits: options });
    case "lockstep":
      return checkStore(readHistory(text), format, options);
    case "etcd":
      return checkStore(operationsAlone(text), format, options);
    default:
      return unreachable(format);
  }
}

/**
 * Checks a report of etcd's robustness tests, which has several files.
 *
 * @throws HistoryFormatError that names the file
 */
export function checkEtcdReport(files: readonly ReportFile[], options: CheckOptions): HistoryCheck {
  const { model = "etcd" } = options;
  if (model !== "etcd") {
    const problem = `a ${formatNames.etcd} is checked with the model etcd, not ${model}`;
    throw new HistoryFormatError(1, problem);
  }
  const history = readEtcdReport(files);
  if (history.operations.length > 0) return checkStore(history, "etcd", options);
  throw new HistoryFormatError(1, "no client of the report has operations");
}

function operationsAlone(text: string): History {
  return { operations: readEtcdOperations(text), watches: [], marks: [] };
}

/** `bytesMax` does not matter here: the memory of this check grows with the history alone. */
function checkStore(
  history: History,
  format: "lockstep" | "etcd",
  options: CheckOptions,
): HistoryCheck {
  const { operations, watches } = history;
  // Time is the only limit, unless the caller gives another.
  const { stepsMax = Number.MAX_SAFE_INTEGER, isTimeUp, areAllCompactionsKnown } = options;
  const { verdict, texts, operationIds } = judgeHistory(history, {
    ...(isTimeUp === undefined ? { stepsMax } : { stepsMax, isTimeUp }),
    othersCompact: areAllCompactionsKnown !== true,
  });
  const around = operationsAround(history, operationIds);
  const [reason = ""] = texts;
  return {
    ...{ format, model: "etcd" },
    operations: operations.length,
    unknowns: operations.filter(({ outcome }) => outcome.kind === "unknown").length,
    verdict,
    ...(verdict === "unknown" ? { reason } : {}),
    parts: 1,
    etcd: { watches: watches.length, texts, around },
  };
}

function modelOf(format: HistoryFormat): ModelName {
  if (format === "lockstep" || format === "etcd") return "etcd";
  return format === "porcupine" ? "kv" : "register";
}

interface Subject<State, Input, Output> {
  readonly name: ModelName;
  readonly model: Model<State, Input, Output>;
  readonly words: CallWords<State, Input, Output>;
}

const kv = { name: "kv", model: kvModel, words: kvWords } as const;
const register = { name: "register", model: registerModel, words: registerWords } as const;

interface Task<State, Input, Output> {
  readonly format: HistoryFormat;
  readonly subject: Subject<State, Input, Output>;
  readonly limits: SearchLimits;
}

function check<State, Input, Output>(
  calls: readonly ReadCall<Input, Output>[],
  task: Task<State, Input, Output>,
): HistoryCheck {
  const { format, subject, limits } = task;
  if (calls.length === 0) throw new HistoryFormatError(1, "the history has no operations");
  const result = checkCalls(calls, subject.model, limits);
  const { verdict, reason, steps, configurations } = result;
  const worst = result.partitions.find((part) => part.verdict === verdict);
  const failure =
    worst === undefined || verdict === "linearizable"
      ? undefined
      : viewFailure(calls, worst, subject.words);
  return {
    format,
    model: subject.name,
    operations: calls.length,
    unknowns: calls.filter(({ output }) => output === undefined).length,
    verdict,
    ...(reason === undefined ? {} : { reason }),
    parts: result.partitionCount,
    steps,
    configurations,
    ...(failure === undefined ? {} : { failure }),
  };
}
