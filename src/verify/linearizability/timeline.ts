/**
 * The calls of one partition, laid out for the search: completed calls as a doubly linked list of
 * their calls and returns in time order (node 0 is the head, the last node the tail), and the calls
 * without a known outcome beside it, grouped by likeness.
 *
 * Completed calls are numbered 0.. in the order of their calls, pending ones likewise. Each
 * completed call has a lane: a number that no call it overlaps has, so that "which of the open calls
 * are placed" is a mask over lanes.
 */
import { invariant } from "../../base/invariant.js";
import type { Model, ModelCall } from "./model.js";

/** The node before the first call. */
export const headNode = 0;

export interface Timeline {
  /** Completed call -> its index in the calls given. */
  readonly completed: Int32Array;
  /** Pending call -> its index in the calls given. */
  readonly pending: Int32Array;
  readonly next: Int32Array;
  readonly previous: Int32Array;
  /** Node -> completed call (of a call node), or its complement (of a return node). */
  readonly nodeCall: Int32Array;
  readonly nodeAt: Float64Array;
  readonly callNode: Int32Array;
  readonly returnNode: Int32Array;
  readonly tailNode: number;
  readonly lane: Int32Array;
  readonly laneCount: number;
  /** Completed call -> 1 if it never changes a state. */
  readonly isRead: Uint8Array;
  /** Completed call -> the number of its likeness, below `alikeCount`, or -1. */
  readonly alike: Int32Array;
  readonly alikeCount: number;
  readonly pendingCallAt: Float64Array;
  readonly classes: readonly PendingClass[];
  /** Pending call -> its class. */
  readonly classOf: Int32Array;
}

/** Pending calls of one likeness, earliest call first: the earliest can always go first. */
export interface PendingClass {
  readonly alike: number;
  readonly calls: readonly number[];
}

/** Lays out the calls at `indexes`. Calls without an output are pending. */
export function layOut<State, Input, Output>(
  calls: readonly ModelCall<Input, Output>[],
  indexes: readonly number[],
  model: Model<State, Input, Output>,
): Timeline {
  const at = (index: number) => calls[index] as ModelCall<Input, Output>;
  const inCallOrder = [...indexes].sort((a, b) => at(a).callAt - at(b).callAt);
  const completed = Int32Array.from(inCallOrder.filter((index) => at(index).output !== undefined));
  const pending = Int32Array.from(inCallOrder.filter((index) => at(index).output === undefined));
  for (const index of completed) {
    invariant(at(index).callAt <= at(index).returnAt, "a call returns after it was made", () => ({
      index,
    }));
  }
  const chain = link(
    Float64Array.from(completed, (index) => at(index).callAt),
    Float64Array.from(completed, (index) => at(index).returnAt),
  );
  const name = (index: number) => model.likeness?.(at(index).input, at(index).output);
  return {
    completed,
    pending,
    ...chain,
    ...assignLanes(chain.nodeCall, completed.length),
    isRead: Uint8Array.from(completed, (index) =>
      model.isRead?.(at(index).input, at(index).output) === true ? 1 : 0,
    ),
    pendingCallAt: Float64Array.from(pending, (index) => at(index).callAt),
    ...groupAlike(completed, pending, name),
  };
}

/** Calls come sorted; at equal times calls stand before returns, because intervals are closed. */
function link(callAt: Float64Array, returnAt: Float64Array) {
  const count = callAt.length;
  const byReturn = Array.from(returnAt.keys()).sort(
    (a, b) => (returnAt[a] as number) - (returnAt[b] as number),
  );
  const tailNode = 2 * count + 1;
  const nodeCall = new Int32Array(tailNode + 1);
  const nodeAt = new Float64Array(tailNode + 1);
  const callNode = new Int32Array(count);
  const returnNode = new Int32Array(count);
  nodeAt[headNode] = Number.NEGATIVE_INFINITY;
  nodeAt[tailNode] = Number.POSITIVE_INFINITY;
  let calls = 0;
  let returns = 0;
  for (let node = 1; node < tailNode; node++) {
    const returning = byReturn[returns] as number;
    const isCall = calls < count && (callAt[calls] as number) <= (returnAt[returning] as number);
    if (isCall) {
      nodeCall[node] = calls;
      nodeAt[node] = callAt[calls] as number;
      callNode[calls++] = node;
    } else {
      nodeCall[node] = ~returning;
      nodeAt[node] = returnAt[returning] as number;
      returnNode[returning] = node;
      returns++;
    }
  }
  const next = Int32Array.from(nodeCall, (_, node) => Math.min(node + 1, tailNode));
  const previous = Int32Array.from(nodeCall, (_, node) => Math.max(node - 1, headNode));
  return { next, previous, nodeCall, nodeAt, callNode, returnNode, tailNode };
}

function assignLanes(nodeCall: Int32Array, count: number) {
  const lane = new Int32Array(count);
  const free: number[] = [];
  let laneCount = 0;
  for (let node = 1; node <= 2 * count; node++) {
    const call = nodeCall[node] as number;
    if (call >= 0) lane[call] = free.pop() ?? laneCount++;
    else free.push(lane[~call] as number);
  }
  return { lane, laneCount };
}

/** Calls of one name get one number; calls without a name get -1, pending ones a class each. */
function groupAlike(
  completed: Int32Array,
  pending: Int32Array,
  nameOf: (index: number) => string | undefined,
) {
  const numbers = new Map<string, number>();
  const numberOf = (name: string): number => {
    const known = numbers.get(name);
    if (known !== undefined) return known;
    numbers.set(name, numbers.size);
    return numbers.size - 1;
  };
  const alike = completed.map((index) => {
    const name = nameOf(index);
    return name === undefined ? -1 : numberOf(name);
  });
  const classes = new Map<string, { readonly alike: number; readonly calls: number[] }>();
  for (const [call, index] of pending.entries()) {
    const name = nameOf(index);
    const key = name === undefined ? `only ${call}` : `alike ${name}`;
    const known = classes.get(key);
    if (known !== undefined) known.calls.push(call);
    else classes.set(key, { alike: name === undefined ? -1 : numberOf(name), calls: [call] });
  }
  const classOf = new Int32Array(pending.length);
  for (const [number, { calls }] of [...classes.values()].entries()) {
    for (const call of calls) classOf[call] = number;
  }
  return { alike, alikeCount: numbers.size, classes: [...classes.values()], classOf };
}
