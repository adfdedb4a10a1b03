/**
 * Checks a history of calls against a model: splits it into what the model says is independent,
 * searches each part, and says the worst verdict: "not" wins over "unknown", because one part that
 * is not linearizable decides for the whole.
 */
import type { Call, Model } from "./model.js";
import { type SearchLimits, type SearchResult, search } from "./search.js";

export interface PartitionResult<State> extends SearchResult<State> {
  /** As the model names it; empty if it does not partition. */
  readonly partition: string;
  /** Indexes of its calls. */
  readonly calls: readonly number[];
}

export interface CallsVerdict<State> {
  readonly verdict: "linearizable" | "not" | "unknown";
  /** Of "unknown". */
  readonly reason?: string;
  /** In the order they were searched; those after the first "not" are missing. */
  readonly partitions: readonly PartitionResult<State>[];
  /** How many there are. */
  readonly partitionCount: number;
  readonly steps: number;
  readonly configurations: number;
}

/** Limits hold for each partition; `isTimeUp` for all. */
export function checkCalls<State, Input, Output>(
  calls: readonly Call<Input, Output>[],
  model: Model<State, Input, Output>,
  limits: SearchLimits = {},
): CallsVerdict<State> {
  const parts = partitionsOf(calls, model);
  const partitions: PartitionResult<State>[] = [];
  for (const [partition, indexes] of parts) {
    const result = search(calls, indexes, { ...limits, model });
    partitions.push({ ...result, partition, calls: indexes });
    if (result.verdict === "not") break;
  }
  const sum = (of: (result: PartitionResult<State>) => number) =>
    partitions.reduce((total, result) => total + of(result), 0);
  const worst =
    partitions.find(({ verdict }) => verdict === "not") ??
    partitions.find(({ verdict }) => verdict === "unknown");
  return {
    verdict: worst?.verdict ?? "linearizable",
    ...(worst?.reason === undefined ? {} : { reason: worst.reason }),
    partitions,
    partitionCount: parts.size,
    steps: sum(({ steps }) => steps),
    configurations: sum(({ configurations }) => configurations),
  };
}

function partitionsOf<State, Input, Output>(
  calls: readonly Call<Input, Output>[],
  model: Model<State, Input, Output>,
): ReadonlyMap<string, readonly number[]> {
  const parts = new Map<string, number[]>();
  for (const [index, { input }] of calls.entries()) {
    const name = model.partition?.(input) ?? "";
    const part = parts.get(name);
    if (part === undefined) parts.set(name, [index]);
    else part.push(index);
  }
  return parts;
}
