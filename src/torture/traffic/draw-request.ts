/**
 * Draws the requests of clients from the seed and from what they have seen. Values are unique: two
 * puts of one run never write the same value, so that each answer names the put that it shows.
 */
import type { Rng } from "../../platform/rng.js";
import { plainAnswers } from "../../verify/history/txn-ops.js";
import type {
  Compare,
  KeyValue,
  Op,
  OperationAnswer,
  Request,
} from "../../verify/history/types.js";

/** What one client remembers of the answers. */
export class Memory {
  /** The revision of the newest answer. */
  revision = 0;
  /** The last known mod revision of each key; 0: the key did not exist. */
  readonly #mods = new Map<string, number>();

  mod(key: string): number {
    return this.#mods.get(key) ?? 0;
  }

  learn(request: Request, revision: number, answer: OperationAnswer): void {
    this.revision = Math.max(this.revision, revision);
    if (request.kind === "put") this.#mods.set(request.key, revision);
    if (answer.kind === "range") this.#learnKeys(request, answer.kvs);
    if (answer.kind === "txn") {
      for (const part of plainAnswers(answer.answers)) {
        if (part.kind === "range") this.#learnKeys(undefined, part.kvs);
      }
    }
  }

  #learnKeys(request: Request | undefined, kvs: readonly KeyValue[]): void {
    if (request?.kind === "range" && request.end === undefined && kvs.length === 0) {
      this.#mods.set(request.key, 0);
    }
    for (const { key, mod } of kvs) this.#mods.set(key, mod);
  }
}

export interface DrawContext {
  readonly rng: Rng;
  readonly memory: Memory;
  /** Number of different keys. */
  readonly keys: number;
  /** Returns a value that no other request of the run has. */
  readonly value: string;
}

/** The range of all keys of a run. */
export const first = "lockstep-torture/";
export const end = "lockstep-torture0";

/** The key of that number from 0 on: all are equally long up to 999. */
export function keyName(place: number): string {
  return `${first}${String(place).padStart(3, "0")}`;
}

/** Makes one request. It uses no randomness but that of the context. */
export type Draw = (context: DrawContext) => Request;
/** Kinds of requests with their weights. */
export type RequestMix = readonly (readonly [weight: number, draw: Draw])[];

const readsOfAll: RequestMix = [
  [6, () => ({ kind: "range", key: first, end })],
  [2, () => ({ kind: "range", key: first, end, serializable: true })],
  [4, pastRange],
];

/** A mix of all kinds of requests. */
export const mixed: RequestMix = [
  [36, ({ value, ...at }) => ({ kind: "put", key: anyKey(at), value })],
  [16, (at) => ({ kind: "range", key: anyKey(at) })],
  [5, (at) => ({ kind: "range", key: anyKey(at), serializable: true })],
  ...readsOfAll,
  [9, (at) => ({ kind: "delete", key: anyKey(at) })],
  [2, deleteSome],
  [12, compareAndSwap],
  [8, severalOps],
  [4, nestedTxn],
  [3, writeAndPastRead],
];

/** Linearizable reads: a member that wrongly believes to lead would answer them. */
export const freshReads: RequestMix = [
  [3, (at) => ({ kind: "range", key: anyKey(at) })],
  [1, () => ({ kind: "range", key: first, end })],
];

/** Mostly writes, and transactions whose compare looks at many keys. */
export const writes: RequestMix = [
  [60, ({ value, ...at }) => ({ kind: "put", key: anyKey(at), value })],
  [14, severalOps],
  [14, compareAndSwap],
  [6, (at) => ({ kind: "range", key: anyKey(at) })],
  [6, (at) => ({ kind: "delete", key: anyKey(at) })],
];

/** Values of up to 200 kB beside small ones, and reads of all keys. */
export const large: RequestMix = [
  [6, ({ rng, value, ...at }) => largePut({ rng, ...at }, `${value}.${rng.int(1_000)}`)],
  ...mixed,
  ...readsOfAll,
];

/** Lists in pages, and objects that are created, updated and deleted only if they are unchanged. */
export const kubernetes: RequestMix = [
  [20, firstPage],
  [12, nextPage],
  [45, compareAndSwap],
  [12, createObject],
  [6, deleteObject],
  [5, (at) => ({ kind: "range", key: anyKey(at) })],
];

export function drawRequest(context: DrawContext, mix = mixed): Request {
  let left = context.rng.int(mix.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, draw] of mix) {
    if (left < weight) return draw(context);
    left -= weight;
  }
  throw new Error("the weights do not add up");
}

function anyKey({ rng, keys }: Pick<DrawContext, "rng" | "keys">): string {
  return keyName(rng.int(keys));
}

function pastRange({ rng, memory }: DrawContext): Request {
  const revision = Math.max(0, memory.revision - rng.int(20));
  return { kind: "range", key: first, end, revision, limit: rng.int(2) * 3 };
}

function deleteSome({ rng, keys }: DrawContext): Request {
  const from = rng.int(keys);
  return { kind: "delete", key: keyName(from), end: keyName(from + 1 + rng.int(2)) };
}

function compareAndSwap(context: DrawContext): Request {
  const { memory, value } = context;
  const key = anyKey(context);
  return {
    kind: "txn",
    compares: [{ key, target: "mod", result: "=", value: memory.mod(key) }],
    success: [{ kind: "put", key, value }],
    failure: [{ kind: "range", key }],
  };
}

/** A transaction with two keys in a branch that depends on a third key. */
function severalOps(context: DrawContext): Request {
  const { rng, keys, value } = context;
  const from = rng.int(keys);
  const [one, other] = [keyName(from), keyName((from + 1) % keys)];
  const opOf = (key: string, place: number): Op => {
    const drawn = rng.int(4);
    if (drawn === 0) return { kind: "delete", key };
    return drawn === 1 ? { kind: "range", key } : { kind: "put", key, value: `${value}.${place}` };
  };
  return {
    kind: "txn",
    compares: [{ key: anyKey(context), target: "create", result: ">", value: 0 }],
    success: [opOf(one, 0), opOf(other, 1)],
    failure: [opOf(one, 2)],
  };
}

/**
 * Transactions in the branches of a transaction. The inner compare looks at a key that the outer
 * transaction has just written, and must not see that.
 */
function nestedTxn(context: DrawContext): Request {
  const { rng, keys, memory, value } = context;
  const from = rng.int(keys);
  const [one, other, third] = [0, 1, 2].map((place) => keyName((from + place) % keys)) as [
    string,
    string,
    string,
  ];
  const compare = (key: string): Compare =>
    rng.int(2) === 0
      ? { key, target: "mod", result: "=", value: memory.mod(key) }
      : { key, target: "version", result: ">", value: rng.int(3) };
  const inner = (place: number): Op => ({
    ...{ kind: "txn", compares: [compare(one)] },
    success: [
      { kind: "put", key: other, value: `${value}.${place}` },
      { kind: "range", key: one },
    ],
    failure: rng.int(2) === 0 ? [{ kind: "delete", key: other }] : [{ kind: "range", key: other }],
  });
  return {
    ...{ kind: "txn", compares: [compare(third)] },
    success: [{ kind: "put", key: one, value: `${value}.0` }, inner(1)],
    failure: [inner(2), { kind: "range", key: third }],
  };
}

/** All members refuse this transaction as a whole if that revision is compacted. */
function writeAndPastRead(context: DrawContext): Request {
  const { rng, memory, value } = context;
  const revision = Math.max(0, memory.revision - rng.int(60));
  const [key, old] = [anyKey(context), anyKey(context)];
  return {
    ...{ kind: "txn", compares: [], failure: [] },
    success: [
      { kind: "put", key, value },
      { kind: "range", key: old, revision },
    ],
  };
}

const largeBytesMax = 200_000;

function largePut(at: Pick<DrawContext, "rng" | "keys">, value: string): Request {
  return { kind: "put", key: anyKey(at), value: value.padEnd(at.rng.int(largeBytesMax), ".") };
}

const pageSize = 3;

function firstPage(): Request {
  return { kind: "range", key: first, end, limit: pageSize };
}

/**
 * Reads from any key on, at the revision of the newest answer, as a client does that goes on with a
 * paged list.
 */
function nextPage(context: DrawContext): Request {
  const { revision } = context.memory;
  return { kind: "range", key: `${anyKey(context)}\0`, end, limit: pageSize, revision };
}

function createObject(context: DrawContext): Request {
  const { value } = context;
  const key = anyKey(context);
  return {
    kind: "txn",
    compares: [{ key, target: "mod", result: "=", value: 0 }],
    success: [{ kind: "put", key, value }],
    failure: [{ kind: "range", key }],
  };
}

function deleteObject(context: DrawContext): Request {
  const key = anyKey(context);
  return {
    kind: "txn",
    compares: [{ key, target: "mod", result: "=", value: context.memory.mod(key) }],
    success: [{ kind: "delete", key }],
    failure: [{ kind: "range", key }],
  };
}
