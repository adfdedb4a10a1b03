/**
 * Checks a history of calls against a model. It splits the history into the partitions that the
 * model names, searches each, and returns the worst verdict. "not" wins over "unknown", because one
 * partition that is not linearizable decides for the whole.
 */
import type { Model, ModelCall } from "./model.js";
import {
  type PausedSearch,
  type SearchLimits,
  type SearchOptions,
  type SearchResult,
  startSearch,
} from "./search.js";

export interface PartitionResult<State> extends SearchResult<State> {
  /** The name that the model gives; empty if the model does not partition. */
  readonly partition: string;
  /** Indexes of its calls. */
  readonly calls: readonly number[];
}

export interface CallsVerdict<State> {
  readonly verdict: "linearizable" | "not" | "unknown";
  /** Why the result is "unknown". */
  readonly reason?: string;
  /**
   * In the order in which the searches ended. If one ended with "not", partitions without a result
   * are missing.
   */
  readonly partitions: readonly PartitionResult<State>[];
  /** How many there are. */
  readonly partitionCount: number;
  readonly steps: number;
  readonly configurations: number;
}

/** Limits hold for all partitions together; steps for each. */
export function checkCalls<State, Input, Output>(
  calls: readonly ModelCall<Input, Output>[],
  model: Model<State, Input, Output>,
  limits: SearchLimits = {},
): CallsVerdict<State> {
  const parts = partitionsOf(calls, model);
  const partitions = searchInTurn(calls, parts, { ...limits, model });
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

const stretchFirst = 1 << 14;
const stretchFactor = 8;

/**
 * All partitions get the same number of steps; then the partitions that need more get more. So the
 * search finds an easy contradiction before it spends its time on a hard partition.
 */
function searchInTurn<State, Input, Output>(
  calls: readonly ModelCall<Input, Output>[],
  parts: ReadonlyMap<string, readonly number[]>,
  options: SearchOptions<State, Input, Output>,
): PartitionResult<State>[] {
  const results: PartitionResult<State>[] = [];
  let waiting = Array.from(parts, ([partition, indexes]) => ({
    partition,
    indexes,
    search: undefined as PausedSearch<State> | undefined,
  }));
  let pausedBytes = 0;
  for (let steps = stretchFirst; waiting.length > 0; steps *= stretchFactor) {
    const paused: typeof waiting = [];
    for (const { partition, indexes, search: before } of waiting) {
      const search = before ?? startSearch(calls, indexes, options);
      if (before !== undefined) pausedBytes -= before.bytes;
      const result = search.run({ steps, otherBytes: pausedBytes });
      if (result === undefined) {
        pausedBytes += search.bytes;
        paused.push({ partition, indexes, search });
      } else results.push({ ...result, partition, calls: indexes });
      if (result?.verdict === "not") return results;
    }
    waiting = paused;
  }
  return results;
}

function partitionsOf<State, Input, Output>(
  calls: readonly ModelCall<Input, Output>[],
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
