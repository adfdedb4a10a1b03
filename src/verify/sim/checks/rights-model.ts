/**
 * Users, roles and rights as a function of the log, for the check of rights. It shares no code with
 * the members. Each change makes a new version; versions stay, so a check can ask about any index.
 */
import {
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest,
} from "../../../wire/gen/rpc.js";
import type { OpenedRequest } from "../../../wire/internal-request.js";
import { RequestField } from "../../../wire/proposal.js";
import { textOf } from "../clients/client-calls.js";

/** Keys are latin-1 texts. `end` undefined: the key alone; "\0": all from it on. */
export interface Range {
  readonly key: string;
  readonly end: string | undefined;
}

interface Grant extends Range {
  /** As in etcd: 0 read, 1 write, 2 both. */
  readonly type: number;
}

export interface RightsVersion {
  /** The index of the entry that made this version. */
  readonly index: number;
  readonly isEnabled: boolean;
  readonly revision: number;
  /** Role names by user. */
  readonly users: ReadonlyMap<string, ReadonlySet<string>>;
  readonly roles: ReadonlyMap<string, readonly Grant[]>;
  /**
   * The index of the last entry that ended the tokens of a user; under "" the last one that ended
   * all tokens.
   */
  readonly ended: ReadonlyMap<string, number>;
}

export class RightsModel {
  readonly #versions: RightsVersion[] = [
    {
      ...{ index: 0, isEnabled: false, revision: 1 },
      ...{ users: new Map(), roles: new Map(), ended: new Map() },
    },
  ];

  now(): RightsVersion {
    return this.#versions.at(-1) as RightsVersion;
  }

  /** The versions that were in force at any index from `from` to `to`. */
  between(from: number, to: number): readonly RightsVersion[] {
    const last = this.#versions.filter(({ index }) => index <= Math.max(from, to));
    const first = last.findLastIndex(({ index }) => index <= Math.min(from, to));
    return last.slice(Math.max(0, first));
  }

  /** Call when a request of the Auth service took effect at `index`. */
  apply(index: number, request: OpenedRequest): void {
    const change = changes[request.field];
    if (change === undefined) return;
    const { users, roles, ended, isEnabled, revision } = this.now();
    const next: Draft = {
      ...{ index, isEnabled, revision: revision + 1 },
      ...{ users: new Map(users), roles: new Map(roles), ended: new Map(ended) },
    };
    change(next, request.body);
    this.#versions.push(next);
  }
}

interface Draft {
  index: number;
  isEnabled: boolean;
  revision: number;
  users: Map<string, ReadonlySet<string>>;
  roles: Map<string, readonly Grant[]>;
  ended: Map<string, number>;
}

const changes: Readonly<Record<number, (next: Draft, body: Uint8Array) => void>> = {
  [RequestField.authEnable]: (next) => {
    next.isEnabled = true;
    next.revision--;
  },
  [RequestField.authDisable]: (next) => {
    if (!next.isEnabled) next.revision--;
    next.isEnabled = false;
    next.ended.set("", next.index);
  },
  [RequestField.authUserAdd]: ({ users }, body) =>
    users.set(AuthUserAddRequest.decode(body).name, new Set()),
  [RequestField.authUserDelete]: ({ users, ended, index }, body) => {
    const { name } = AuthUserDeleteRequest.decode(body);
    users.delete(name);
    ended.set(name, index);
  },
  [RequestField.authUserChangePassword]: ({ ended, index }, body) => {
    ended.set(AuthUserChangePasswordRequest.decode(body).name, index);
  },
  [RequestField.authUserGrantRole]: (next, body) => {
    const { user, role } = AuthUserGrantRoleRequest.decode(body);
    const roles = next.users.get(user) ?? new Set();
    if (roles.has(role)) next.revision--;
    next.users.set(user, new Set([...roles, role]));
  },
  [RequestField.authUserRevokeRole]: ({ users }, body) => {
    const { name, role } = AuthUserRevokeRoleRequest.decode(body);
    users.set(name, without(users.get(name), role));
  },
  [RequestField.authRoleAdd]: ({ roles }, body) =>
    roles.set(AuthRoleAddRequest.decode(body).name, []),
  [RequestField.authRoleDelete]: ({ users, roles }, body) => {
    const { role } = AuthRoleDeleteRequest.decode(body);
    roles.delete(role);
    for (const [name, own] of users) users.set(name, without(own, role));
  },
  [RequestField.authRoleGrantPermission]: ({ roles }, body) => {
    const { name, perm } = AuthRoleGrantPermissionRequest.decode(body);
    const { key = new Uint8Array(0), range_end = key, permType: type = 0 } = perm ?? {};
    const granted = { ...rangeFrom(key, range_end), type };
    roles.set(name, withGrant(roles.get(name) ?? [], granted));
  },
  [RequestField.authRoleRevokePermission]: ({ roles }, body) => {
    const { role, key, range_end } = AuthRoleRevokePermissionRequest.decode(body);
    const revoked = rangeFrom(key, range_end);
    roles.set(
      role,
      (roles.get(role) ?? []).filter((known) => !isSame(known, revoked)),
    );
  },
};

/**
 * Grants stand in the order of their keys. As in etcd, a grant takes the place of one of the same
 * range only if that is the first of its key; otherwise both count.
 */
function withGrant(known: readonly Grant[], granted: Grant): readonly Grant[] {
  const first = known.findIndex(({ key }) => key >= granted.key);
  const old = known[first];
  if (old !== undefined && isSame(old, granted)) return known.with(first, granted);
  const after = known.findIndex(({ key }) => key > granted.key);
  return known.toSpliced(after < 0 ? known.length : after, 0, granted);
}

function without(all: ReadonlySet<string> | undefined, one: string): ReadonlySet<string> {
  return new Set([...(all ?? [])].filter((name) => name !== one));
}

/** The range of a permission; an empty end stands for the single key. */
export function rangeFrom(key: Uint8Array, rangeEnd: Uint8Array): Range {
  return { key: textOf(key), end: rangeEnd.length === 0 ? undefined : textOf(rangeEnd) };
}

function isSame(a: Range, b: Range): boolean {
  return a.key === b.key && a.end === b.end;
}

/**
 * True if the user may read (or write) everything in the range. Keys of a world have two letters, so
 * a range is covered if all two-letter keys in it are, and its end is.
 */
export function mayUse(
  { users, roles }: RightsVersion,
  user: string,
  range: Range,
  right: "read" | "write",
): boolean {
  const own = users.get(user);
  if (own === undefined) return false;
  if (own.has("root")) return true;
  const type = right === "read" ? 0 : 1;
  const grants = [...own].flatMap((role) => roles.get(role) ?? []);
  const holding = grants.filter((grant) => grant.type === type || grant.type === 2);
  return placesOf(range).every((place) => holding.some((grant) => holds(grant, place)));
}

const letters = "abcdefghijklmnopqrstuvwxyz";

function placesOf({ key, end }: Range): readonly string[] {
  if (end === undefined) return [key];
  const keys = [...letters].map((letter) => `k${letter}`);
  const inside = keys.filter((name) => name >= key && (end === "\0" || name < end));
  return [key, ...inside, ...(end === "\0" ? ["z"] : [])];
}

function holds({ key, end }: Range, place: string): boolean {
  if (end === undefined) return place === key;
  return place >= key && (end === "\0" || place < end);
}
