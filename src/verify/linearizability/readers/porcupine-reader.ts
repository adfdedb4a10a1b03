/**
 * Reads the key-value histories of porcupine's test data: a map a line, such as
 * `{:process 0, :type :invoke, :f :append, :key "1", :value "x"}`, ended by one of type :ok with the
 * same process. Calls that never return may have happened.
 */

import { HistoryFormatError } from "../../history/history-format-error.js";
import { CallPairing, type ReadCall } from "../call-pairing.js";
import type { KvInput, KvOutput } from "../kv-model.js";
import { type EdnMap, EdnReader, type EdnValue, isEdnMap } from "./edn-reader.js";

/** @throws HistoryFormatError */
export function readPorcupineKv(text: string): readonly ReadCall<KvInput, KvOutput>[] {
  const reader = new EdnReader(text);
  const calls = new CallPairing<KvInput, KvOutput>((input) => input.kind === "get");
  for (let value = reader.next(); value !== undefined; value = reader.next()) {
    if (!isEdnMap(value)) throw new HistoryFormatError(reader.line, "this is not a map");
    readEvent(value, calls);
  }
  return calls.end(reader.line);
}

function readEvent(event: EdnMap, calls: CallPairing<KvInput, KvOutput>): void {
  const { line, entries } = event;
  const process = entries.get("process");
  if (typeof process !== "number") throw new HistoryFormatError(line, ":process is no number");
  const kind = entries.get("f");
  if (kind !== "get" && kind !== "put" && kind !== "append") {
    throw new HistoryFormatError(line, `:f is ${shown(kind)}, not :get, :put or :append`);
  }
  const key = textOf(event, "key");
  const type = entries.get("type");
  if (type === "invoke") {
    if (kind === "get") calls.invoke(process, { kind, key }, line);
    else calls.invoke(process, { kind, key, value: textOf(event, "value") }, line);
  } else if (type === "ok") {
    const input = calls.inputOf(process, line);
    if (input.kind !== kind || input.key !== key) {
      throw new HistoryFormatError(
        line,
        `the return of :${kind} "${key}", but process ${process} called :${input.kind} "${input.key}"`,
      );
    }
    calls.returned(process, kind === "get" ? { value: textOf(event, "value") } : {}, line);
  } else if (type === "info") calls.lost(process, line);
  else if (type === "fail") calls.failed(process, line);
  else
    throw new HistoryFormatError(line, `:type is ${shown(type)}, not :invoke, :ok, :fail or :info`);
}

function textOf({ line, entries }: EdnMap, name: string): string {
  const value = entries.get(name);
  if (typeof value !== "string") {
    throw new HistoryFormatError(line, `:${name} is ${shown(value)}, not a text`);
  }
  return value;
}

function shown(value: EdnValue | undefined): string {
  return value === undefined ? "missing" : `"${JSON.stringify(value)}"`;
}
