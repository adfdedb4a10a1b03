/**
 * Operations, watches and answers in words, for people: a label that fits into an interval of the
 * history view, and all details as "name: value" lines. Escapes bytes that cannot be seen.
 */
import type {
  Compare,
  HistoryRange,
  KeyValue,
  Op,
  OpAnswer,
  Operation,
  OperationAnswer,
  Request,
  Watch,
  WatchEvent,
  WatchResponse,
} from "../history/types.js";
import { visibleText } from "./xml-text.js";

/** Number of keys of an answer to show; the text only counts the rest. */
const rowsMax = 40;
const valueMax = 200;

/** The range as a key, as "a .. b", or as "from a on". */
export function describeRange({ key, end }: HistoryRange): string {
  if (end === undefined) return visibleText(key);
  return end === "\0"
    ? `from ${visibleText(key)} on`
    : `${visibleText(key)} .. ${visibleText(end)}`;
}

/** The request with its answer in brief; "?" if the outcome is unknown. */
export function operationLabel({ request, outcome }: Operation): string {
  const text = requestLabel(request);
  if (outcome.kind === "unknown") return `${text} ?`;
  if (outcome.kind === "refused") return `${text}: ${visibleText(outcome.error)}`;
  const { answer, revision } = outcome;
  return `${text}${answerLabel(answer)} @${revision}`;
}

/** The request in brief. */
export function requestLabel(request: Request): string {
  switch (request.kind) {
    case "range": {
      const local = request.serializable === true ? " (local)" : "";
      const at = request.revision ? ` at ${request.revision}` : "";
      return `get ${describeRange(request)}${at}${local}`;
    }
    case "put":
      return `put ${visibleText(request.key)}=${shortValue(request.value)}`;
    case "delete":
      return `del ${describeRange(request)}`;
    case "txn": {
      const ops = (list: readonly Op[]): string => list.map(requestLabel).join(", ");
      const branches = `then ${ops(request.success)} else ${ops(request.failure)}`;
      return `txn if ${request.compares.map(compareText).join(" and ")} ${branches}`;
    }
    case "compact":
      return `compact ${request.revision}`;
    case "other":
      return visibleText(request.name);
    default:
      return `${request.kind} ${visibleText(request.id)}`;
  }
}

function answerLabel(answer: OperationAnswer): string {
  switch (answer.kind) {
    case "range": {
      const [first] = answer.kvs;
      if (answer.kvs.length === 1 && first !== undefined) return ` -> ${shortValue(first.value)}`;
      return ` -> ${answer.count === 0 ? "nothing" : `${answer.count} keys`}`;
    }
    case "delete":
      return ` -> ${answer.deleted}`;
    case "txn":
      return answer.succeeded ? " -> then" : " -> else";
    case "lease":
      return ` -> ttl ${answer.ttl}`;
    default:
      return "";
  }
}

/** All about the operation as lines "name: value". */
export function operationDetails(operation: Operation): string {
  const { id, client, member, callUs, returnUs, request, outcome } = operation;
  const lines = [
    `operation: ${id}`,
    `kind: ${request.kind}`,
    `outcome: ${outcome.kind}`,
    ...("error" in outcome ? [`error: ${visibleText(outcome.error)}`] : []),
    `client: ${client}`,
    `member: ${visibleText(member)}`,
    `called: ${milliseconds(callUs)}`,
    returnUs === undefined
      ? "returned: never seen"
      : `returned: ${milliseconds(returnUs)}, after ${milliseconds(returnUs - callUs)}`,
    ...requestLines(request),
  ];
  if (outcome.kind === "ok") {
    lines.push(`revision: ${outcome.revision}`, ...answerLines(outcome.answer));
  }
  return lines.join("\n");
}

/** Zero and false mean the same as absence. */
const optionalFields = [
  ["lease", "lease"],
  ["at revision", "revision"],
  ["limit", "limit"],
  ["keysOnly", "keysOnly"],
  ["countOnly", "countOnly"],
  ["sorted by", "sortBy"],
  ["descending", "descending"],
  ["serializable", "serializable"],
] as const;

function requestLines(request: Request): string[] {
  switch (request.kind) {
    case "range":
    case "delete":
    case "put": {
      const lines = [`key: ${describeRange(request as HistoryRange)}`];
      if (request.kind === "put") lines.push(`value: ${longValue(request.value)}`);
      const fields = request as Readonly<Record<string, unknown>>;
      for (const [name, field] of optionalFields) {
        const value = fields[field];
        if (value) lines.push(`${name}: ${visibleText(String(value))}`);
      }
      return lines;
    }
    case "txn":
      return [
        ...request.compares.map((compare) => `if: ${compareText(compare)}`),
        ...request.success.flatMap((op) => branchLines("then", op)),
        ...request.failure.flatMap((op) => branchLines("else", op)),
      ];
    default:
      return [`request: ${requestLabel(request)}`];
  }
}

function branchLines(name: string, op: Op): string[] {
  return [`${name}: ${op.kind}`, ...requestLines(op).map((line) => `  ${line}`)];
}

function compareText({ key, target, result, value }: Compare): string {
  const right = typeof value === "string" ? shortValue(value) : value;
  return `${target}(${visibleText(key)}) ${result} ${right}`;
}

function answerLines(answer: OperationAnswer): string[] {
  switch (answer.kind) {
    case "range":
    case "delete":
    case "put":
      return opAnswerLines(answer);
    case "txn":
      return opAnswerLines(answer);
    case "lease":
      return [`lease: ${visibleText(answer.id)}`, `ttl: ${answer.ttl}`];
    default:
      return [];
  }
}

function opAnswerLines(answer: OpAnswer): string[] {
  if (answer.kind === "txn") {
    return [`succeeded: ${answer.succeeded}`, ...answer.answers.flatMap(opAnswerLines)];
  }
  if (answer.kind === "put") return [];
  if (answer.kind === "delete") return [`deleted: ${answer.deleted}`];
  return [`count: ${answer.count}`, ...limited(answer.kvs.map((row) => `row: ${rowText(row)}`))];
}

function rowText({ key, value, create, mod, version, lease }: KeyValue): string {
  const bound = lease === undefined || lease === "0" ? "" : ` lease ${visibleText(lease)}`;
  const place = `create ${create} mod ${mod} version ${version}${bound}`;
  return `${visibleText(key)}=${longValue(value)} ${place}`;
}

/** The watch in brief. */
export function watchLabel({ range, revision }: Watch): string {
  return `watch ${describeRange(range)}${revision === 0 ? "" : ` from ${revision}`}`;
}

/** All about the watch as lines "name: value", without its events. */
export function watchDetails(watch: Watch): string {
  const { id, client, member, callUs, range, revision, responses } = watch;
  const events = responses.reduce((sum, response) => sum + response.events.length, 0);
  return [
    `watch: ${id}`,
    "kind: watch",
    `client: ${client}`,
    `member: ${visibleText(member)}`,
    `called: ${milliseconds(callUs)}`,
    `key: ${describeRange(range)}`,
    `revision: ${revision}`,
    ...(watch.prevKv ? ["prevKv: true"] : []),
    ...(watch.progressNotify ? ["progressNotify: true"] : []),
    ...watch.filters.map((type) => `filter: no ${type}`),
    `answers: ${responses.length}`,
    `events: ${events}`,
  ].join("\n");
}

/** The answer of a watch in brief. */
export function responseLabel(response: WatchResponse): string {
  if (response.canceled === true) return "canceled";
  if (response.created === true) return "created";
  return response.events.length === 0 ? "progress" : `${response.events.length} events`;
}

/** The answer with its events, at most 40 of them, as lines "name: value". */
export function responseDetails(watch: Watch, response: WatchResponse): string {
  return [
    `watch: ${watch.id}`,
    `kind: event ${responseLabel(response)}`,
    `client: ${watch.client}`,
    `member: ${visibleText(watch.member)}`,
    `at: ${milliseconds(response.atUs)}`,
    `revision: ${response.revision}`,
    ...(response.compactRevision === undefined ? [] : [`compacted: ${response.compactRevision}`]),
    ...(response.fragment === true ? ["fragment: true"] : []),
    ...limited(response.events.map(eventText)),
  ].join("\n");
}

function eventText(event: WatchEvent): string {
  const before = event.prev === undefined ? "" : `, before: ${rowText(event.prev)}`;
  return `${event.type}: ${rowText(event)}${before}`;
}

/** Microseconds as text in milliseconds with three decimals. */
export function milliseconds(us: number): string {
  return `${(us / 1000).toFixed(3)} ms`;
}

function limited(lines: string[]): string[] {
  if (lines.length <= rowsMax) return lines;
  return [...lines.slice(0, rowsMax), `and: ${lines.length - rowsMax} more`];
}

function shortValue(value: string): string {
  return value.length <= 12 ? visibleText(value) : `${visibleText(value.slice(0, 11))}…`;
}

function longValue(value: string): string {
  if (value.length <= valueMax) return visibleText(value);
  return `${visibleText(value.slice(0, valueMax))}… (${value.length} bytes)`;
}
