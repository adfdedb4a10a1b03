/**
 * The kinds of requests of clients: how often clients send each, and how it is drawn. A new kind is
 * one entry here, with its own draws and a number that no other kind has. It does not change the
 * draws of other kinds.
 *
 * Draws are numbered from 10 on; plan-generator.ts and address-space.ts use the lower numbers.
 */
import type { OwnDraws } from "../platform/address-space.js";
import type { ClientAction, Proof, Span, Swarm } from "./plan.js";

export type ActionKind = ClientAction["kind"];

/** What a plan says of a request of that kind. */
export type ActionFields<Kind extends ActionKind> = Omit<
  Extract<ClientAction, { readonly kind: Kind }>,
  "kind"
>;

export interface ActionContext extends OwnDraws {
  readonly swarm: Swarm;
  readonly key: number;
  /** From 1 on. */
  readonly lease: number;
}

export interface ActionSpec<Fields> {
  /** Part of the ids of its requests: unique, and must never change. */
  readonly number: number;
  /** How often this kind occurs, relative to the others. */
  readonly weight: number;
  /** In every seed; other kinds are absent from a third of the seeds. */
  readonly isAlways?: boolean;
  /** True: the kind occurs only in worlds with users. */
  readonly needsUsers?: boolean;
  draw(at: ActionContext): Fields;
}

/** Every kind of request has a row: the compiler demands it. */
export type ActionSpecs = { readonly [Kind in ActionKind]: ActionSpec<ActionFields<Kind>> };

const onKey = ({ key }: ActionContext) => ({ key });
const onLease = ({ lease }: ActionContext) => ({ lease });

/** Users and roles of a world that has any. */
export const usersOfWorld = 3;
const byUsers = { isAlways: true, needsUsers: true } as const;
const spans: readonly Span[] = ["one", "one", "few", "from"];
const proofs: readonly Proof[] = ["token", "token", "token", "oldToken", "certificate", "nothing"];
const manageKinds = [
  ...(["grant", "grant", "revoke", "grantRole", "revokeRole"] as const),
  ...(["replaceUser", "replaceRole", "password", "toggle"] as const),
] as const;

function pick<T>(from: readonly T[], at: ActionContext, draw: number): T {
  return from[at.int(from.length, draw)] as T;
}

export const actionKinds: ActionSpecs = {
  put: {
    ...{ number: 1, weight: 8, isAlways: true },
    draw: (at) => ({ key: at.key, ...(at.int(4, 12) === 0 ? { lease: at.lease } : {}) }),
  },
  get: {
    ...{ number: 2, weight: 4, isAlways: true },
    draw: (at) => ({ key: at.key, serializable: at.int(4, 12) === 0 }),
  },
  list: {
    ...{ number: 3, weight: 3 },
    draw: (at) => ({
      back: at.int(2, 12) === 0 ? 0 : at.int(30, 13),
      limit: at.int(3, 14) === 0 ? 1 + at.int(4, 15) : 0,
      serializable: at.int(4, 16) === 0,
    }),
  },
  sorted: {
    ...{ number: 13, weight: 2 },
    draw: (at) => ({
      back: at.int(3, 12) === 0 ? 0 : at.int(30, 13),
      limit: at.int(2, 14) === 0 ? 1 + at.int(4, 15) : 0,
      serializable: at.int(4, 16) === 0,
      sortBy: (["key", "version", "create", "mod", "value"] as const)[at.int(5, 17)] ?? "key",
      descending: at.int(3, 18) > 0,
    }),
  },
  delete: { number: 4, weight: 2, draw: onKey },
  deleteFrom: {
    ...{ number: 5, weight: 1 },
    draw: (at) => ({ key: at.key, count: 1 + at.int(4, 12) }),
  },
  cas: { number: 6, weight: 3, draw: onKey },
  txn: {
    ...{ number: 7, weight: 3 },
    draw: (at) => ({ key: at.key, shape: at.int(1 << 16, 12) }),
  },
  compact: {
    ...{ number: 8, weight: 1 },
    draw: (at) => ({ back: at.int(3, 13) === 0 ? at.int(3, 12) : at.int(40, 12) }),
  },
  grant: {
    ...{ number: 9, weight: 1 },
    draw: (at) => ({ lease: at.lease, ttl: 2 + at.int(8, 12) }),
  },
  revoke: { number: 10, weight: 1, draw: onLease },
  keepAlive: { number: 11, weight: 2, draw: onLease },
  watch: {
    ...{ number: 12, weight: 1, isAlways: true },
    draw: (at) => ({
      key: at.int(3, 12) === 0 ? -1 : at.key,
      back: at.int(2, 13) === 0 ? 0 : at.int(40, 14) - 10,
      prevKv: at.int(3, 15) === 0,
      filter: (["none", "none", "none", "put", "delete"] as const)[at.int(5, 16)] ?? "none",
      forMs: 1_000 + at.int(15_000, 17),
      stallMs: at.int(4, 18) === 0 ? 200 + at.int(5_000, 19) : 0,
    }),
  },
  userRead: {
    ...{ number: 14, weight: 8, ...byUsers },
    draw: (at) => ({
      ...{ user: at.int(usersOfWorld, 12), key: at.key, span: pick(spans, at, 13) },
      ...{ serializable: at.int(3, 14) === 0, by: pick(proofs, at, 15) },
    }),
  },
  userWrite: {
    ...{ number: 15, weight: 6, ...byUsers },
    draw: (at) => ({
      ...{ user: at.int(usersOfWorld, 12), key: at.key, by: pick(proofs, at, 15) },
      what: pick(["put", "put", "delete", "txn"] as const, at, 13),
    }),
  },
  userWatch: {
    ...{ number: 16, weight: 3, ...byUsers },
    draw: (at) => ({
      ...{ user: at.int(usersOfWorld, 12), key: at.key, span: pick(spans, at, 13) },
      forMs: 1_000 + at.int(15_000, 14),
    }),
  },
  login: {
    ...{ number: 17, weight: 3, ...byUsers },
    draw: (at) => ({ user: at.int(usersOfWorld, 12) }),
  },
  manage: {
    ...{ number: 18, weight: 6, ...byUsers },
    draw: (at) => ({
      ...{ what: pick(manageKinds, at, 12), user: at.int(usersOfWorld, 13) },
      ...{ role: at.int(usersOfWorld, 14), key: at.key, span: pick(spans, at, 15) },
      right: pick(["read", "write", "both", "both"] as const, at, 16),
    }),
  },
};
