/** Recognises the format of a history by its beginning. The readers then find its errors. */
import { HistoryFormatError } from "../../history/history-format-error.js";

export type HistoryFormat = "lockstep" | "porcupine" | "jepsen-log" | "jepsen" | "etcd";

/** The names of the formats for people. */
export const formatNames: Readonly<Record<HistoryFormat, string>> = {
  lockstep: "Lockstep history",
  porcupine: "porcupine key-value history",
  "jepsen-log": "Jepsen log of a register",
  jepsen: "Jepsen history of a register",
  etcd: "report of etcd's robustness tests",
};

const lookedAt = 4_096;
const shownMax = 40;

/** @throws HistoryFormatError */
export function recogniseFormat(text: string): HistoryFormat {
  const beginning = text.slice(0, lookedAt).trimStart();
  if (beginning === "") throw new HistoryFormatError(1, "the file is empty");
  if (/^\{\s*"lockstepHistory"/.test(beginning)) return "lockstep";
  if (/^\{\s*"ClientI[dD]"/.test(beginning)) return "etcd";
  if (/^\{\s*"(Request|Responses)"/.test(beginning)) {
    const advice = "name the folder that holds the folders client-N, not a file";
    throw new HistoryFormatError(1, `watches cannot be judged without operations: ${advice}`);
  }
  if (/^INFO\s+jepsen\.util\s/.test(beginning)) return "jepsen-log";
  const isMaps = /^(;|#[\w.]+\s*\{|[[(]?\s*(\{\s*[:"}]|#[\w.]+\s*\{))/.test(beginning);
  if (isMaps && /:f\s+:(get|put|append)\b/.test(beginning)) return "porcupine";
  if (isMaps && /["\s{,:](process|type)\b/.test(beginning)) return "jepsen";
  const shown = JSON.stringify(beginning.split("\n", 1)[0]?.slice(0, shownMax));
  throw new HistoryFormatError(
    1,
    `${shown} begins no history of Lockstep, porcupine, Jepsen (register) or etcd`,
  );
}
