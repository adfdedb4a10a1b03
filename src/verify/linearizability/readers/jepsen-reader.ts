/**
 * Reads Jepsen's histories of a register (read, write, cas) in three writings:
 *  - the log lines of porcupine's test data: `INFO  jepsen.util - 0<tab>:invoke<tab>:write<tab>3`;
 *  - EDN, as in history.edn: `{:process 0, :type :invoke, :f :write, :value 3}`, one after the
 *    other or in a vector, with or without a tag before each;
 *  - the same as JSON, one a line or in an array.
 * If every value is a pair, its first half names a register (jepsen.independent).
 *
 * :info and a call without an end may have happened or may yet happen. :fail did not happen; but in
 * a log, `:fail :cas [a b]` is what the store answered: it saw another value than a.
 * Processes without a number (the nemesis) are skipped.
 */

import { HistoryFormatError } from "../../history/history-format-error.js";
import { CallPairing, type ReadCall } from "../call-pairing.js";
import type { RegisterInput, RegisterOutput, RegisterValue } from "../register-model.js";
import { type EdnMap, EdnReader, type EdnValue, isEdnMap } from "./edn-reader.js";

interface JepsenEvent {
  readonly line: number;
  readonly process: number;
  readonly type: "invoke" | "ok" | "fail" | "info";
  readonly kind: RegisterInput["kind"];
  readonly value: EdnValue;
}

const logLine = /^INFO\s+jepsen\.util\s+-\s+(\S+)\s+(\S+)\s+(\S+)\s*(.*)$/;
const kinds: Readonly<Record<string, RegisterInput["kind"]>> = {
  read: "read",
  r: "read",
  write: "write",
  w: "write",
  cas: "cas",
};

/** @throws HistoryFormatError */
export function readJepsenLog(text: string): readonly ReadCall<RegisterInput, RegisterOutput>[] {
  const events: JepsenEvent[] = [];
  for (const [at, row] of text.split("\n").entries()) {
    if (row.trim() === "") continue;
    const match = logLine.exec(row.trimEnd());
    if (match === null) {
      throw new HistoryFormatError(
        at + 1,
        "this is not a line such as INFO jepsen.util - 0 :invoke :read nil",
      );
    }
    const [, process, type, kind, value] = match as unknown as [
      string,
      string,
      string,
      string,
      string,
    ];
    if (!/^\d+$/.test(process)) continue;
    const words = { type: type.replace(/^:/, ""), kind: kind.replace(/^:/, "") };
    events.push(
      eventOf(at + 1, { process: Number(process), ...words, value: readValue(value, at + 1) }),
    );
  }
  return pair(events, { isFailedCasAnAnswer: true });
}

/** EDN or JSON. @throws HistoryFormatError */
export function readJepsenHistory(
  text: string,
): readonly ReadCall<RegisterInput, RegisterOutput>[] {
  const reader = new EdnReader(text);
  const events: JepsenEvent[] = [];
  for (let value = reader.next(); value !== undefined; value = reader.next()) {
    for (const one of Array.isArray(value) ? (value as readonly EdnValue[]) : [value]) {
      if (!isEdnMap(one)) throw new HistoryFormatError(reader.line, "this is not a map");
      const event = eventOfMap(one);
      if (event !== undefined) events.push(event);
    }
  }
  return pair(events, { isFailedCasAnAnswer: false });
}

function readValue(text: string, line: number): EdnValue {
  try {
    const reader = new EdnReader(text);
    const value = reader.next();
    if (value !== undefined && reader.next() === undefined) return value;
  } catch (error) {
    if (!(error instanceof HistoryFormatError)) throw error;
  }
  throw new HistoryFormatError(line, `"${text}" is not one value`);
}

/** Undefined: the line belongs to no client. */
function eventOfMap({ line, entries }: EdnMap): JepsenEvent | undefined {
  const process = entries.get("process");
  if (process === undefined) throw new HistoryFormatError(line, "the map has no :process");
  if (typeof process !== "number") return undefined;
  const type = String(entries.get("type"));
  const kind = String(entries.get("f"));
  return eventOf(line, { process, type, kind, value: entries.get("value") ?? null });
}

interface Words {
  readonly process: number;
  readonly type: string;
  readonly kind: string;
  readonly value: EdnValue;
}

function eventOf(line: number, words: Words): JepsenEvent {
  const { process, type, value } = words;
  const kind = Object.hasOwn(kinds, words.kind) ? kinds[words.kind] : undefined;
  if (kind === undefined) {
    throw new HistoryFormatError(line, `"${words.kind}" is not one of :read, :write and :cas`);
  }
  if (type !== "invoke" && type !== "ok" && type !== "fail" && type !== "info") {
    throw new HistoryFormatError(line, `"${type}" is not one of :invoke, :ok, :fail and :info`);
  }
  return { line, process, type, kind, value };
}

interface PairOptions {
  readonly isFailedCasAnAnswer: boolean;
}

function pair(events: readonly JepsenEvent[], options: PairOptions) {
  const isKeyed = areKeyed(events);
  const calls = new CallPairing<RegisterInput, RegisterOutput>((input) => input.kind === "read");
  for (const event of events) {
    const { line, process, type, kind } = event;
    if (type === "invoke") {
      calls.invoke(process, inputOf(event, isKeyed), line);
      continue;
    }
    const input = calls.inputOf(process, line);
    if (input.kind !== kind) {
      throw new HistoryFormatError(
        line,
        `the end of a ${kind}, but process ${process} called ${input.kind}`,
      );
    }
    const isAnswer = options.isFailedCasAnAnswer && kind === "cas" && Array.isArray(event.value);
    if (type === "ok") calls.returned(process, outputOf(event, isKeyed), line);
    else if (type === "info") calls.lost(process, line);
    else if (isAnswer) calls.returned(process, { kind: "cas", succeeded: false }, line);
    else calls.failed(process, line);
  }
  return calls.end(events.at(-1)?.line ?? 0);
}

/** Whether all calls name a register: `[key value]`, of a compare-and-set `[key [from to]]`. */
function areKeyed(events: readonly JepsenEvent[]): boolean {
  const invoked = events.filter(({ type }) => type === "invoke");
  const isKeyed = ({ kind, value }: JepsenEvent) =>
    Array.isArray(value) && value.length === 2 && (kind !== "cas" || Array.isArray(value[1]));
  return invoked.length > 0 && invoked.every(isKeyed);
}

function inputOf(event: JepsenEvent, isKeyed: boolean): RegisterInput {
  const { line, kind } = event;
  const { key, value } = split(event, isKeyed);
  if (kind === "read") return { kind, ...key };
  if (kind === "write") return { kind, ...key, value: scalar(value, line) };
  if (!Array.isArray(value) || value.length !== 2) {
    throw new HistoryFormatError(line, "the value of a :cas is not [from to]");
  }
  const [from, to] = value as readonly EdnValue[] as [EdnValue, EdnValue];
  return { kind, ...key, from: scalar(from, line), to: scalar(to, line) };
}

function outputOf(event: JepsenEvent, isKeyed: boolean): RegisterOutput {
  const { line, kind } = event;
  if (kind === "write") return { kind };
  if (kind === "cas") return { kind, succeeded: true };
  return { kind, value: scalar(split(event, isKeyed).value, line) };
}

function split({ line, value }: JepsenEvent, isKeyed: boolean) {
  if (!isKeyed) return { key: {}, value };
  if (!Array.isArray(value) || value.length !== 2) {
    throw new HistoryFormatError(line, "the value is not [key value], as of the other calls");
  }
  const [key, rest] = value as readonly EdnValue[] as [EdnValue, EdnValue];
  return { key: { key: JSON.stringify(key) }, value: rest };
}

function scalar(value: EdnValue, line: number): RegisterValue {
  if (value === null || typeof value === "number" || typeof value === "string") return value;
  throw new HistoryFormatError(line, `a register holds numbers, texts or nil, not ${shown(value)}`);
}

function shown(value: EdnValue): string {
  return isEdnMap(value) ? "a map" : JSON.stringify(value);
}
