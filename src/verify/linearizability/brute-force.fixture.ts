/**
 * Linearizability by its definition: tries every order, remembers nothing and leaves nothing out.
 * For histories of a few calls, to compare the search with.
 */
import type { Model, ModelCall } from "./model.js";

/** Whether an order exists that contains all of `required`; it may contain other calls. */
export function hasOrder<State, Input, Output>(
  calls: readonly ModelCall<Input, Output>[],
  required: ReadonlySet<number>,
  model: Model<State, Input, Output>,
): boolean {
  const explore = (state: State, placed: ReadonlySet<number>): boolean => {
    if ([...required].every((index) => placed.has(index))) return true;
    for (const [index, call] of calls.entries()) {
      if (placed.has(index) || !mayComeNext(calls, call, placed)) continue;
      const after = model.step(state, call.input, call.output);
      if (after !== undefined && explore(after, new Set([...placed, index]))) return true;
    }
    return false;
  };
  return explore(model.init, new Set());
}

/** Whether every completed call that returned before this call began is placed. */
function mayComeNext<Input, Output>(
  calls: readonly ModelCall<Input, Output>[],
  { callAt }: ModelCall<Input, Output>,
  placed: ReadonlySet<number>,
): boolean {
  return calls.every(
    ({ output, returnAt }, index) =>
      output === undefined || returnAt >= callAt || placed.has(index),
  );
}

export function completedOf<Input, Output>(calls: readonly ModelCall<Input, Output>[]): number[] {
  return [...calls.keys()].filter((index) => calls[index]?.output !== undefined);
}

/**
 * The error in this order, or undefined: then the order proves that the history is linearizable.
 */
export function faultOfOrder<State, Input, Output>(
  calls: readonly ModelCall<Input, Output>[],
  order: readonly number[],
  model: Model<State, Input, Output>,
): string | undefined {
  let state = model.init;
  const placed = new Set<number>();
  for (const index of order) {
    const call = calls[index] as ModelCall<Input, Output>;
    if (placed.has(index)) return `call ${index} twice`;
    if (!mayComeNext(calls, call, placed)) return `call ${index} before one that had returned`;
    const after = model.step(state, call.input, call.output);
    if (after === undefined) return `call ${index} is not legal`;
    state = after;
    placed.add(index);
  }
  return undefined;
}
