/** For tests and benchmarks only: draws the next request of a client of a generated history. */
import type { Rng } from "../../../platform/rng.js";
import type { Compare, Op, Request } from "../../history/types.js";
import type { AtomicState } from "./atomic-store.fixture.js";

/** What the client may know when it asks. */
export interface DrawContext {
  readonly rng: Rng;
  readonly state: AtomicState;
  /** Keys of the history; they are named k00, k01, ... */
  readonly keys: number;
  /** Makes values unique. */
  readonly id: number;
  readonly leases: readonly string[];
}

const weights: readonly (readonly [number, (context: DrawContext) => Request])[] = [
  [34, drawPut],
  [22, (context) => ({ kind: "range", key: drawKey(context) })],
  [8, drawList],
  [6, (context) => ({ ...drawList(context), serializable: true })],
  [3, drawOldList],
  [6, (context) => ({ kind: "delete", key: drawKey(context) })],
  [1, (context) => ({ kind: "delete", ...drawSpan(context) })],
  [8, drawSwap],
  [6, drawTxn],
  [2, drawGrant],
  [1, (context) => ({ kind: "leaseRevoke", id: drawLease(context) })],
  [2, (context) => ({ kind: "leaseKeepAlive", id: drawLease(context) })],
  [1, drawCompact],
];
const weightSum = weights.reduce((sum, [weight]) => sum + weight, 0);

export function drawRequest(context: DrawContext): Request {
  let at = context.rng.int(weightSum);
  for (const [weight, draw] of weights) {
    if (at < weight) return draw(context);
    at -= weight;
  }
  throw new Error("the weights changed while they were drawn from");
}

function keyName(at: number): string {
  return `k${String(at).padStart(2, "0")}`;
}

function drawKey({ rng, keys }: DrawContext): string {
  return keyName(rng.int(keys));
}

function drawSpan({ rng, keys }: DrawContext): { readonly key: string; readonly end: string } {
  const first = rng.int(keys);
  return { key: keyName(first), end: rng.int(8) === 0 ? "\0" : keyName(first + 1 + rng.int(3)) };
}

function drawLease({ rng, leases }: DrawContext): string {
  return leases[rng.int(leases.length)] ?? "404";
}

function drawPut(context: DrawContext): Op {
  const put = { kind: "put", key: drawKey(context), value: `v${context.id}` } as const;
  return context.rng.int(5) === 0 ? { ...put, lease: drawLease(context) } : put;
}

function drawList(context: DrawContext): Extract<Op, { kind: "range" }> {
  const { rng } = context;
  const whole = { kind: "range", key: "k", end: "l" } as const;
  const range = rng.int(2) === 0 ? whole : ({ kind: "range", ...drawSpan(context) } as const);
  switch (rng.int(7)) {
    case 0:
      return { ...range, limit: 1 + rng.int(3) };
    case 1:
      return { ...range, countOnly: true };
    case 2:
      return { ...range, keysOnly: true };
    case 3: {
      const sortBy = (["key", "version", "create", "mod", "value"] as const)[rng.int(5)] ?? "key";
      return { ...range, sortBy, descending: rng.int(2) === 0, limit: rng.int(4) };
    }
    default:
      return range;
  }
}

/** Sometimes a revision that is compacted already, or does not exist yet. */
function drawOldList(context: DrawContext): Request {
  const { rng, state } = context;
  const revision = Math.max(1, state.revision - 12 + rng.int(14));
  return { ...drawList(context), revision, serializable: rng.int(2) === 0 };
}

function drawSwap(context: DrawContext): Request {
  const key = drawKey(context);
  const mod = context.state.keys.get(key)?.mod ?? 0;
  return {
    kind: "txn",
    compares: [{ key, target: "mod", result: "=", value: mod }],
    success: [{ kind: "put", key, value: `v${context.id}` }],
    failure: [{ kind: "range", key }],
  };
}

function drawTxn(context: DrawContext): Request {
  const success = drawOps(context, "a");
  return { kind: "txn", compares: [drawCompare(context)], success, failure: drawOps(context, "b") };
}

/** Neighbouring keys, each once: a transaction may not write a key twice. */
function drawOps({ rng, keys, id }: DrawContext, tag: string): readonly Op[] {
  const first = rng.int(keys);
  return Array.from({ length: Math.min(keys, 1 + rng.int(3)) }, (_, at): Op => {
    const key = keyName((first + at) % keys);
    const kind = rng.int(4);
    if (kind === 0) return { kind: "delete", key };
    if (kind === 1) return { kind: "range", key };
    return { kind: "put", key, value: `v${id}${tag}${at}` };
  });
}

function drawCompare(context: DrawContext): Compare {
  const { rng, state } = context;
  const key = drawKey(context);
  const kv = state.keys.get(key);
  const result = (["=", "!=", "<", ">"] as const)[rng.int(4)] ?? "=";
  switch (rng.int(5)) {
    case 0:
      return { key, target: "version", result, value: (kv?.version ?? 0) + rng.int(2) };
    case 1:
      return { key, target: "create", result, value: kv?.create ?? 0 };
    case 2:
      return { key, target: "value", result, value: kv?.value ?? "v" };
    case 3:
      return { key, target: "lease", result, value: kv?.lease ?? "0" };
    default:
      return { key, target: "mod", result, value: kv?.mod ?? 0 };
  }
}

/** The server chooses half of the ids. */
function drawGrant({ rng, id }: DrawContext): Request {
  return {
    kind: "leaseGrant",
    id: rng.int(2) === 0 ? "0" : `${1_000_000 + id}`,
    ttl: 1 + rng.int(3),
  };
}

function drawCompact({ rng, state }: DrawContext): Request {
  return { kind: "compact", revision: Math.max(1, state.revision - 20 + rng.int(22)) };
}
