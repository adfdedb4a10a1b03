/**
 * Reads a report of etcd's robustness tests: for each client a folder client-N with operations.json,
 * watch.json, or both. The store was empty when the test began.
 */
import { HistoryFormatError } from "../../history/history-format-error.js";
import type { History, Operation, Watch } from "../../history/types.js";
import { readEtcdOperations } from "./etcd-operations-reader.js";
import { readEtcdWatches } from "./etcd-watch-reader.js";

export interface ReportFile {
  /** Its path below the report: "client-3/watch.json". */
  readonly path: string;
  readonly text: string;
}

/** The number of the client; undefined: the file is not part of the history. */
export function clientOfFile(path: string): number | undefined {
  const [, client] = /(?:^|\/)client-(\d+)\/(?:operations|watch)\.json$/.exec(path) ?? [];
  return client === undefined ? undefined : Number(client);
}

/** @throws HistoryFormatError that names the file */
export function readEtcdReport(files: readonly ReportFile[]): History {
  const operations: Operation[] = [];
  const watches: Watch[] = [];
  for (const { path, text } of files) {
    const client = clientOfFile(path);
    if (client === undefined) continue;
    try {
      if (path.endsWith("operations.json")) {
        operations.push(...readEtcdOperations(text, operations.length + 1));
      } else {
        const of = { client, name: `client-${client}`, firstId: watches.length + 1 };
        watches.push(...readEtcdWatches(text, of));
      }
    } catch (error) {
      if (!(error instanceof HistoryFormatError)) throw error;
      throw new HistoryFormatError(error.line, error.problem, path);
    }
  }
  return { operations, watches, marks: [] };
}
