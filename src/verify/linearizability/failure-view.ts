/**
 * What a person needs to see of a history that has no order: the first call that cannot be placed,
 * the calls around it with their intervals side by side, and the states that were possible there.
 */
import type { ReadCall } from "./call-pairing.js";
import type { CallWords } from "./call-words.js";
import type { PartitionResult } from "./check-calls.js";
import { statesShownMax } from "./furthest.js";

export interface CallView {
  readonly line: number;
  readonly process: number;
  readonly words: string;
  readonly callAt: number;
  /** Undefined: no answer came. */
  readonly returnAt: number | undefined;
  /** Its place in the longest order found, from 1. */
  readonly place: number | undefined;
  readonly isBlocked: boolean;
}

export interface FailureView {
  /** Such as " of key 3"; empty if there is one object. */
  readonly part: string;
  readonly blocked: CallView;
  /** By time of call, `blocked` among them. */
  readonly around: readonly CallView[];
  /** Some of the states in which it would have to be placed. */
  readonly states: readonly string[];
  readonly placed: number;
  readonly calls: number;
}

const aroundMax = 24;
const precedingMax = 6;

export function viewFailure<State, Input, Output>(
  calls: readonly ReadCall<Input, Output>[],
  result: PartitionResult<State>,
  words: CallWords<State, Input, Output>,
): FailureView | undefined {
  if (result.blocked === undefined) return undefined;
  const placeOf = new Map(result.order.map((index, at) => [index, at + 1]));
  const view = (index: number): CallView => {
    const { client, input, output, line, callAt, returnAt } = calls[index] as ReadCall<
      Input,
      Output
    >;
    return {
      line,
      process: client,
      words: words.call(input, output),
      callAt,
      returnAt: output === undefined ? undefined : returnAt,
      place: placeOf.get(index),
      isBlocked: index === result.blocked,
    };
  };
  return {
    part: words.part(result.partition),
    blocked: view(result.blocked),
    around: around(result, view),
    states: result.states.map((state) => words.state(state)),
    placed: result.order.length,
    calls: result.calls.length,
  };
}

/** What overlaps the blocked call, the last that were placed before it, and itself. */
function around<State>(
  result: PartitionResult<State>,
  view: (index: number) => CallView,
): CallView[] {
  const blocked = view(result.blocked as number);
  const end = blocked.returnAt ?? Number.POSITIVE_INFINITY;
  const views = result.calls.map(view);
  const overlapping = views.filter(
    ({ callAt, returnAt, isBlocked }) =>
      !isBlocked && callAt <= end && returnAt !== undefined && returnAt >= blocked.callAt,
  );
  const last = result.order.slice(-precedingMax).map(view);
  const lost = views.filter(({ callAt, returnAt, place }) => {
    return returnAt === undefined && place === undefined && callAt <= end;
  });
  const chosen = new Map<number, CallView>();
  // The nearest first, in case there are too many.
  const nearness = (one: CallView) => -one.callAt;
  const wanted = [...overlapping, ...last].sort((a, b) => nearness(a) - nearness(b));
  const some = lost.sort((a, b) => nearness(a) - nearness(b)).slice(0, precedingMax);
  for (const one of [blocked, ...wanted, ...some]) {
    if (chosen.size < aroundMax) chosen.set(one.callAt, one);
  }
  return [...chosen.values()].sort((a, b) => a.callAt - b.callAt);
}

/** Lines for people. Times are squeezed: only the order of calls and returns is shown. */
export function renderFailure(view: FailureView): string {
  const rows = [["place", "line", "process", "operation", ""], ...view.around.map(cellsOf(view))];
  const widths = [0, 1, 2, 3].map((at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  const table = rows.map(([place = "", line = "", process = "", words = "", bar = ""], at) => {
    const mark = view.around[at - 1]?.isBlocked === true ? ">" : " ";
    const numbers = [place.padStart(widths[0] ?? 0), line.padStart(widths[1] ?? 0)].join("  ");
    const rest = [process.padStart(widths[2] ?? 0), words.padEnd(widths[3] ?? 0), bar].join("  ");
    return `${mark} ${numbers}  ${rest}`.trimEnd();
  });
  const { blocked, states, part } = view;
  const more = states.length < statesShownMax ? "" : " or another";
  const possible = states.length === 0 ? "" : `  The value there: ${states.join(" or ")}${more}.\n`;
  return (
    `First operation${part} that cannot be placed, in line ${blocked.line}:\n\n` +
    `  process ${blocked.process}  ${blocked.words}\n\n` +
    `  ${view.placed} of ${view.calls} operations are in the longest order found.\n${possible}\n` +
    `Around it (place: in that order; ?: no answer came):\n\n${table.join("\n")}\n`
  );
}

function cellsOf({ around: views }: FailureView): (one: CallView) => string[] {
  const times = views.flatMap(({ callAt, returnAt }) => [callAt, returnAt ?? callAt]);
  const columns = new Map([...new Set(times)].sort((a, b) => a - b).map((time, at) => [time, at]));
  const width = columns.size + 1;
  return ({ place, line, process, words, callAt, returnAt }) => {
    const from = columns.get(callAt) as number;
    const to = returnAt === undefined ? width : (columns.get(returnAt) as number);
    const bar = `${" ".repeat(from)}|${"-".repeat(Math.max(0, to - from - 1))}`;
    const end = returnAt === undefined ? "?" : "|";
    return [place === undefined ? "-" : `${place}`, `${line}`, `${process}`, words, bar + end];
  };
}
