/**
 * A history as a file of JSON, one record a line:
 *
 *   {"lockstepHistory":1,"operations":2,"watches":1,"marks":0}
 *   {"op":{...}}
 *   {"watch":{...}}
 *   {"mark":{...}}
 *
 * in any order after the first line; the records are those of types.ts. The counts of the first line
 * may be missing (a recorder may not know them); if they are there, a file that was cut short is
 * told from a whole one. Reading is strict: nothing is guessed, the first error ends it.
 */
import { HistoryFormatError } from "./history-format-error.js";
import { contradictionOf, markShape, operationShape, watchShape } from "./history-shape.js";
import { count, record, type Shape } from "./json-shape.js";
import type { History, Mark, Operation, Watch } from "./types.js";

const version = 1;

const headerShape = record(
  { lockstepHistory: count },
  { operations: count, watches: count, marks: count },
);
const shapes: Readonly<Record<string, Shape>> = {
  op: operationShape,
  watch: watchShape,
  mark: markShape,
};

/** Lines with their line ends, so that a large history needs no single large text. */
export function* historyLines(history: History): Generator<string, void> {
  const { operations, watches, marks } = history;
  const counts = {
    operations: operations.length,
    watches: watches.length,
    marks: marks.length,
  };
  yield `${JSON.stringify({ lockstepHistory: version, ...counts })}\n`;
  for (const op of operations) yield `${JSON.stringify({ op })}\n`;
  for (const watch of watches) yield `${JSON.stringify({ watch })}\n`;
  for (const mark of marks) yield `${JSON.stringify({ mark })}\n`;
}

/** The whole file as one text; `historyLines` gives it line by line. */
export function formatHistory(history: History): string {
  return [...historyLines(history)].join("");
}

/** @throws HistoryFormatError */
export function readHistory(text: string): History {
  const lines = text.split("\n");
  // A file ends with a line end; text after the last one is a line cut short.
  if (lines.at(-1) === "") lines.pop();
  const header = headerOf(lines[0] ?? "");
  const operations: Operation[] = [];
  const watches: Watch[] = [];
  const marks: Mark[] = [];
  const lineOf = new Map<Operation | Watch, number>();
  for (const [at, row] of lines.entries()) {
    if (at === 0) continue;
    const { name, value } = recordOf(row, at + 1);
    if (name === "mark") marks.push(value as Mark);
    else {
      lineOf.set(value as Operation | Watch, at + 1);
      if (name === "op") operations.push(value as Operation);
      else watches.push(value as Watch);
    }
  }
  const found = { operations, watches, marks };
  for (const [name, list] of Object.entries(found)) {
    const announced = header[name];
    if (announced !== undefined && announced !== list.length) {
      const problem = `the first line announces ${announced} ${name}, the file has ${list.length}`;
      throw new HistoryFormatError(lines.length, `${problem}: it was cut short or changed`);
    }
  }
  const lineOfRecord = (one: Operation | Watch) => lineOf.get(one) as number;
  refuseEqualIds(operations, lineOfRecord);
  refuseEqualIds(watches, lineOfRecord);
  refuseOverlaps(operations, lineOfRecord);
  return found;
}

function parseLine(row: string, line: number): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(row);
  } catch (error) {
    throw new HistoryFormatError(line, `this is not JSON: ${(error as Error).message}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new HistoryFormatError(line, "this is not an object");
}

function headerOf(row: string): Readonly<Record<string, unknown>> {
  if (row.trim() === "") throw new HistoryFormatError(1, "the first line is empty");
  const header = parseLine(row, 1);
  const problem = headerShape(header, "header");
  if (problem !== undefined) throw new HistoryFormatError(1, problem);
  if (header.lockstepHistory === version) return header;
  const known = `this program reads version ${version}`;
  throw new HistoryFormatError(1, `version ${header.lockstepHistory} of the format; ${known}`);
}

function recordOf(row: string, line: number): { readonly name: string; readonly value: unknown } {
  if (row.trim() === "") throw new HistoryFormatError(line, "the line is empty");
  const fields = parseLine(row, line);
  const [name, ...more] = Object.keys(fields);
  const shape = name !== undefined && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  if (name === undefined || shape === undefined || more.length > 0) {
    throw new HistoryFormatError(line, 'a record is {"op":...}, {"watch":...} or {"mark":...}');
  }
  const value = fields[name];
  const problem = shape(value, name);
  if (problem !== undefined) throw new HistoryFormatError(line, problem);
  const contradiction = name === "op" ? contradictionOf(value as Operation) : undefined;
  if (contradiction !== undefined) throw new HistoryFormatError(line, contradiction);
  return { name, value };
}

function refuseEqualIds<T extends Operation | Watch>(
  records: readonly T[],
  lineOf: (one: T) => number,
): void {
  const byId = new Map<number, T>();
  for (const one of records) {
    const other = byId.get(one.id);
    if (other !== undefined) {
      throw new HistoryFormatError(
        lineOf(one),
        `id ${one.id} is that of line ${lineOf(other)} too`,
      );
    }
    byId.set(one.id, one);
  }
}

/**
 * A client that waits for the end of a call makes no other call. An unknown outcome ends the wait.
 */
function refuseOverlaps(
  operations: readonly Operation[],
  lineOf: (one: Operation) => number,
): void {
  const lastOf = new Map<number, Operation>();
  for (const one of [...operations].sort((a, b) => a.callUs - b.callUs || a.id - b.id)) {
    const last = lastOf.get(one.client);
    if (last?.returnUs !== undefined && last.returnUs > one.callUs) {
      const problem = `client ${one.client} calls before its call of line ${lineOf(last)} returns`;
      throw new HistoryFormatError(lineOf(one), problem);
    }
    if (one.outcome.kind !== "unknown") lastOf.set(one.client, one);
  }
}
