/**
 * What a person needs to see of a history without an order: the first call that cannot be placed,
 * the calls around it with their intervals side by side, and the states that were possible there.
 */
import type { ReadCall } from "./call-pairing.js";
import type { CallWords } from "./call-words.js";
import type { PartitionResult } from "./check-calls.js";
import { statesShownMax } from "./furthest.js";

export interface CallView {
  /** The operation's line in the file, or its id. */
  readonly number: number;
  readonly process: number;
  readonly words: string;
  readonly callAt: number;
  /** Undefined: no answer came. */
  readonly returnAt: number | undefined;
  /** The operation's place in the longest order found, from 1. */
  readonly place: number | undefined;
  readonly isBlocked: boolean;
}

export interface FailureView {
  /** A phrase such as " of key 3"; empty if there is one object. */
  readonly part: string;
  readonly blocked: CallView;
  /** By time of call, `blocked` among them. */
  readonly around: readonly CallView[];
  /** Some of the possible states at that point; the call is possible in none of them. */
  readonly states: readonly string[];
  readonly placed: number;
  readonly calls: number;
}

const aroundMax = 24;
const precedingMax = 6;

/** Undefined: the result has no failure to show. */
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
      number: line,
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

/** The calls that overlap the blocked call, the last calls placed before it, and itself. */
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
  // The nearest calls first, in case there are too many.
  const nearness = (one: CallView) => -one.callAt;
  const wanted = [...overlapping, ...last].sort((a, b) => nearness(a) - nearness(b));
  const some = lost.sort((a, b) => nearness(a) - nearness(b)).slice(0, precedingMax);
  for (const one of [blocked, ...wanted, ...some]) {
    if (chosen.size < aroundMax) chosen.set(one.callAt, one);
  }
  return [...chosen.values()].sort((a, b) => a.callAt - b.callAt);
}

/** Lines for people. */
export function renderFailure(view: FailureView): string {
  const { blocked, states, part } = view;
  const more = states.length < statesShownMax ? "" : " or another";
  const possible = states.length === 0 ? "" : `  The value there: ${states.join(" or ")}${more}.\n`;
  return (
    `First operation${part} that cannot be placed, in line ${blocked.number}:\n\n` +
    `  process ${blocked.process}  ${blocked.words}\n\n` +
    `  ${view.placed} of ${view.calls} operations are in the longest order found.\n${possible}\n` +
    `Around it (place: in that order; ?: no answer came):\n\n` +
    renderCalls(view.around, ["place", "line", "process", "operation"])
  );
}

/** A table of calls with their intervals. Times are squeezed: only their order is shown. */
export function renderCalls(views: readonly CallView[], heads: readonly string[]): string {
  const rows = [[...heads, ""], ...views.map(cellsOf(views, heads[0] === "" ? "" : "-"))];
  const widths = heads.map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  const lines = rows.map((row, at) => {
    const mark = views[at - 1]?.isBlocked === true ? ">" : " ";
    const cells = row.map((cell, column) =>
      column < 3 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
    return `${mark} ${cells.join("  ")}`.trimEnd();
  });
  return `${lines.join("\n")}\n`;
}

/** @param unplaced the text for a call without a place */
function cellsOf(views: readonly CallView[], unplaced: string): (one: CallView) => string[] {
  const times = views.flatMap(({ callAt, returnAt }) => [callAt, returnAt ?? callAt]);
  const columns = new Map([...new Set(times)].sort((a, b) => a - b).map((time, at) => [time, at]));
  const width = columns.size + 1;
  return ({ place, number, process, words, callAt, returnAt }) => {
    const from = columns.get(callAt) as number;
    const to = returnAt === undefined ? width : (columns.get(returnAt) as number);
    const bar = `${" ".repeat(from)}|${"-".repeat(Math.max(0, to - from - 1))}`;
    const end = returnAt === undefined ? "?" : to === from ? "" : "|";
    return [
      place === undefined ? unplaced : `${place}`,
      `${number}`,
      `${process}`,
      words,
      bar + end,
    ];
  };
}
