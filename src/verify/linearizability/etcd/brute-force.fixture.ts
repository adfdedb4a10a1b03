/**
 * For tests only: is a small history linearizable? Tries every order of its operations on the
 * atomic store, with every choice for the unknown ones and for leases that end by themselves.
 * Exponential: for about eight operations. Ignores serializable reads.
 */
import { isDeepStrictEqual } from "node:util";
import type { Operation, Request } from "../../history/types.js";
import { type AtomicState, emptyAtomicState, stepAtomic } from "./atomic-store.fixture.js";

interface Node {
  readonly state: AtomicState;
  readonly past: ReadonlyMap<number, AtomicState>;
  readonly left: readonly Operation[];
  /** Lease -> call time of its last renewal, + ttl: it may not end before. */
  readonly deadlines: ReadonlyMap<string, number>;
  /** The latest call so far: no operation that follows may have returned before it. */
  readonly sinceUs: number;
}

/** The order found, as ids, without revocations by the server. Undefined: there is none. */
export function bruteForce(operations: readonly Operation[]): readonly number[] | undefined {
  const left = operations.filter(
    ({ request }) => !(request.kind === "range" && request.serializable === true),
  );
  const past = new Map([[1, emptyAtomicState]]);
  const start = { state: emptyAtomicState, past, left, deadlines: new Map(), sinceUs: 0 };
  return place(start);
}

function endOf({ outcome, returnUs }: Operation): number {
  return outcome.kind === "unknown"
    ? Number.POSITIVE_INFINITY
    : (returnUs ?? Number.POSITIVE_INFINITY);
}

function place(node: Node): readonly number[] | undefined {
  if (node.left.every(({ outcome }) => outcome.kind === "unknown")) return [];
  const firstEnd = Math.min(...node.left.map(endOf));
  for (const operation of node.left) {
    if (operation.callUs > firstEnd) continue;
    const next = take(node, operation);
    const rest = next === undefined ? undefined : place(next);
    if (rest !== undefined) return [operation.id, ...rest];
  }
  for (const [lease, deadlineUs] of node.deadlines) {
    if (deadlineUs > firstEnd || !node.state.leases.has(lease)) continue;
    const sinceUs = Math.max(node.sinceUs, deadlineUs);
    const next = advance({ ...node, sinceUs }, { kind: "leaseRevoke", id: lease });
    const rest = next === undefined ? undefined : place(next);
    if (rest !== undefined) return rest;
  }
  return undefined;
}

/** The node after this operation; undefined: the operation cannot come next. */
function take(node: Node, operation: Operation): Node | undefined {
  const { outcome, callUs } = operation;
  const sinceUs = Math.max(node.sinceUs, callUs);
  const left = node.left.filter((other) => other !== operation);
  const before = { ...node, left, sinceUs };
  const request = named(operation);
  const step = stepAtomic(node.state, request, (revision) => node.past.get(revision));
  if (outcome.kind === "refused") return step.error === outcome.error ? before : undefined;
  if (step.answer === undefined) return undefined;
  if (outcome.kind === "ok") {
    // The header of a renewal comes from the member that got the request; that member may lag.
    const isNow = request.kind === "leaseKeepAlive" || step.state.revision === outcome.revision;
    const isRight = isNow && isDeepStrictEqual(step.answer, outcome.answer);
    if (!isRight) return undefined;
  }
  const next = advance(before, request);
  if (next === undefined || step.answer.kind !== "lease" || step.answer.ttl === 0) return next;
  const { id, ttl } = step.answer;
  return { ...next, deadlines: new Map(next.deadlines).set(id, callUs + ttl * 1_000_000) };
}

function advance(node: Node, request: Request): Node | undefined {
  const { state, error } = stepAtomic(node.state, request, (revision) => node.past.get(revision));
  if (error !== undefined) return undefined;
  return { ...node, state, past: new Map(node.past).set(state.revision, state) };
}

/** The lease id that the server chose, where it is known. */
function named({ request, outcome, id }: Operation): Request {
  if (request.kind !== "leaseGrant" || request.id !== "0") return request;
  const isKnown = outcome.kind === "ok" && outcome.answer.kind === "lease";
  return { ...request, id: isKnown ? outcome.answer.id : `unknown-${id}` };
}
