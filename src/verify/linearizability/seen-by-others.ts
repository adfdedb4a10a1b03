/**
 * What watches and serializable reads showed, as operations that an order must explain too: an event
 * says how a key stood at a revision, an answer of either says that its revision was reached. When
 * they saw it does not count (they may lag), so these reads may stand anywhere in time; their
 * revision gives them their place.
 *
 * If a history is linearizable and no longer is with these reads, somebody was shown something that
 * never was.
 */

import { plainOps } from "../history/txn-ops.js";
import type { History, Operation, OperationAnswer, Request, WatchEvent } from "../history/types.js";
import { covers } from "./etcd/effect.js";

const nobodysMember = "";
/** Stands for an answer without events. No key of etcd is empty, so this name is free. */
const nothing: Seen = {
  request: { kind: "range", key: "" },
  answer: { kind: "range", kvs: [], count: 0 },
};

interface Seen {
  readonly request: Request;
  readonly answer: OperationAnswer;
}

/** Whether there are such reads. */
export function hasSightings(history: History): boolean {
  return history.watches.length > 0 || hasLocalReads(history);
}

export function hasLocalReads({ operations }: History): boolean {
  return operations.some(isSerializable);
}

/**
 * The history with what watches and local reads showed, as operations that an order must explain,
 * too. The given history stays as it is.
 */
export function withSightings(history: History): History {
  const { operations, watches } = history;
  const sightings = new Sightings(history);
  const doubtful = keysChangedTwice(operations);
  for (const { responses } of watches) {
    for (const { revision, events } of responses) {
      for (const event of events) {
        sightings.add(event.mod, keyAfter(event));
        const before = keyBefore(event, doubtful);
        if (before !== undefined) sightings.add(event.mod - 1, before);
      }
      if (revision > 0) sightings.add(revision, nothing);
    }
  }
  for (const operation of operations) {
    if (!isSerializable(operation) || operation.outcome.kind !== "ok") continue;
    const { serializable: _, revision: asked = 0, ...request } = operation.request;
    const { revision, answer } = operation.outcome;
    // A read of an old revision shows the key as it was then.
    sightings.add(asked > 0 ? asked : revision, { request, answer });
    sightings.add(revision, nothing);
  }
  return { ...history, operations: [...operations, ...sightings.operations] };
}

type RangeRequest = Extract<Request, { readonly kind: "range" }>;

function isSerializable(
  operation: Operation,
): operation is Operation & { readonly request: RangeRequest } {
  return operation.request.kind === "range" && operation.request.serializable === true;
}

function keyAfter({ type, key, value, create, mod, version, lease }: WatchEvent): Seen {
  const kv = { key, value, create, mod, version, ...(lease === undefined ? {} : { lease }) };
  const kvs = type === "put" ? [kv] : [];
  return { request: { kind: "range", key }, answer: { kind: "range", kvs, count: kvs.length } };
}

/** The key one revision earlier, as far as the event shows it. */
function keyBefore(event: WatchEvent, doubtful: ReadonlySet<string>): Seen | undefined {
  const { type, key, version, prev } = event;
  const request = { kind: "range", key } as const;
  if (prev !== undefined) {
    return { request, answer: { kind: "range", kvs: [prev], count: 1 } };
  }
  if (doubtful.has(key) || (type === "put" && version === 1)) return undefined;
  const answer = { kind: "range", kvs: [], count: 1 } as const;
  return { request: { ...request, countOnly: true }, answer };
}

/** Keys that one transaction may put and delete: what is deleted need not have been there before. */
function keysChangedTwice(operations: readonly Operation[]): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { request } of operations) {
    if (request.kind !== "txn") continue;
    for (const ops of [plainOps(request.success), plainOps(request.failure)]) {
      for (const put of ops) {
        if (put.kind !== "put") continue;
        if (ops.some((other) => other.kind === "delete" && covers(other, put.key)))
          keys.add(put.key);
      }
    }
  }
  return keys;
}

class Sightings {
  readonly operations: Operation[] = [];
  readonly #known = new Set<string>();
  #id: number;
  #client: number;
  readonly #callUs: number;
  readonly #returnUs: number;

  constructor({ operations, watches }: History) {
    let [id, client, first, last] = [0, 0, 0, 0];
    for (const one of operations) {
      id = Math.max(id, one.id);
      client = Math.max(client, one.client);
      first = Math.min(first, one.callUs);
      last = Math.max(last, one.callUs, one.returnUs ?? 0);
    }
    for (const { responses } of watches) last = Math.max(last, responses.at(-1)?.atUs ?? 0);
    [this.#id, this.#client, this.#callUs, this.#returnUs] = [id, client, first, last + 1];
  }

  /** Many watches see the same event: this keeps it once. */
  add(revision: number, { request, answer }: Seen): void {
    const name = JSON.stringify([revision, request, answer]);
    if (this.#known.has(name)) return;
    this.#known.add(name);
    this.operations.push({
      id: ++this.#id,
      client: ++this.#client,
      member: nobodysMember,
      callUs: this.#callUs,
      returnUs: this.#returnUs,
      request,
      outcome: { kind: "ok", revision, answer },
    });
  }
}
