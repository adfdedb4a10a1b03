/**
 * Random steps with users, roles and rights, over names and keys so few that they meet. Each step
 * says who asks; the runner knows that user's tokens. Left out is what etcd 3.5 answers otherwise
 * than later versions (docs/compatibility.md), nested transactions among it.
 */
import { Permission_Type } from "../../../src/wire/gen/auth.js";
import * as rpc from "../../../src/wire/gen/rpc.js";
import type { SeededRng } from "../../support/seeded-rng.js";

export type Who = "root" | "u1" | "u2" | "u3" | "nobody" | "forged";

interface Message<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}
export interface Step {
  readonly who: Who;
  /** The path without its package: "Auth/UserAdd". */
  readonly path: string;
  readonly request: Uint8Array;
  decode(answer: Uint8Array): object;
  /** For people. */
  readonly text: string;
}

const users = ["u1", "u2", "u3"] as const;
const roles = ["r1", "r2", "r3"] as const;
const keys = ["a", "b", "c", "d", "e"] as const;
const passwords = ["p", "q"] as const;
const empty = new Uint8Array(0);

function step<Q extends object, R extends object>(
  who: Who,
  path: string,
  [request, response]: readonly [Message<Q>, Message<R>],
  fields: Partial<Q>,
): Step {
  const message = { ...request.decode(empty), ...fields };
  return {
    ...{ who, path, request: request.encode(message).finish() },
    decode: (answer) => response.decode(answer),
    text: `${who} ${path} ${JSON.stringify(fields, plain)}`,
  };
}

function plain(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  const { type, data } = (value ?? {}) as { type?: string; data?: number[] };
  return type === "Buffer" && data !== undefined ? Buffer.from(data).toString("latin1") : value;
}

/** A key, or a range of keys that is not empty. */
function range(rng: SeededRng): { key: Buffer; range_end: Buffer } {
  const from = rng.int(keys.length);
  const key = Buffer.from(keys[from] as string);
  const draw = rng.int(10);
  if (draw < 5) return { key, range_end: Buffer.alloc(0) };
  if (draw < 6) return { key, range_end: Buffer.alloc(1) };
  const to = keys[from + 1 + rng.int(keys.length - from)];
  return { key, range_end: Buffer.from(to ?? "z") };
}

function who(rng: SeededRng): Who {
  const draw = rng.int(20);
  if (draw === 0) return "nobody";
  if (draw === 1) return "forged";
  return draw < 6 ? "root" : rng.pick(users);
}

export function login(who: Who, password: string): Step {
  return step(who, "Auth/Authenticate", [rpc.AuthenticateRequest, rpc.AuthenticateResponse], {
    name: who,
    password,
  });
}

/** Who may ask is root mostly, so that much changes. */
function manage(rng: SeededRng): Step {
  const by: Who = rng.chance(85) ? "root" : who(rng);
  const name = rng.chance(5) ? "none" : rng.pick(users);
  const role = rng.chance(5) ? "none" : rng.pick(roles);
  const draws: readonly (() => Step)[] = [
    () =>
      step(by, "Auth/UserAdd", [rpc.AuthUserAddRequest, rpc.AuthUserAddResponse], {
        name: rng.chance(5) ? "" : rng.pick(users),
        password: rng.pick(passwords),
        // Without no_password: etcd 3.5 still sees such a user when it logs in after its deletion.
      }),
    () =>
      step(by, "Auth/UserDelete", [rpc.AuthUserDeleteRequest, rpc.AuthUserDeleteResponse], {
        name: rng.chance(10) ? "root" : name,
      }),
    () =>
      step(
        by,
        "Auth/UserChangePassword",
        [rpc.AuthUserChangePasswordRequest, rpc.AuthUserChangePasswordResponse],
        { name, password: rng.pick(passwords) },
      ),
    () =>
      step(by, "Auth/RoleAdd", [rpc.AuthRoleAddRequest, rpc.AuthRoleAddResponse], {
        name: rng.chance(5) ? "" : rng.pick(roles),
      }),
    () =>
      step(by, "Auth/RoleDelete", [rpc.AuthRoleDeleteRequest, rpc.AuthRoleDeleteResponse], {
        role: rng.chance(5) ? "root" : role,
      }),
    () =>
      step(
        by,
        "Auth/UserRevokeRole",
        [rpc.AuthUserRevokeRoleRequest, rpc.AuthUserRevokeRoleResponse],
        rng.chance(5) ? { name: "root", role: "root" } : { name, role },
      ),
    () =>
      step(
        by,
        "Auth/RoleRevokePermission",
        [rpc.AuthRoleRevokePermissionRequest, rpc.AuthRoleRevokePermissionResponse],
        { role, ...range(rng) },
      ),
    ...Array.from({ length: 4 }, () => () => grantRole(by, { name, role })),
    ...Array.from({ length: 6 }, () => () => grantPermission(by, role, rng)),
  ];
  return rng.pick(draws)();
}

function grantRole(by: Who, { name, role }: { name: string; role: string }): Step {
  return step(
    by,
    "Auth/UserGrantRole",
    [rpc.AuthUserGrantRoleRequest, rpc.AuthUserGrantRoleResponse],
    {
      user: name,
      role,
    },
  );
}

function grantPermission(by: Who, role: string, rng: SeededRng): Step {
  const permission = { permType: rng.int(3) as Permission_Type, ...range(rng) };
  const broken = {
    permType: Permission_Type.READ,
    key: Buffer.from("b"),
    range_end: Buffer.from("a"),
  };
  return step(
    by,
    "Auth/RoleGrantPermission",
    [rpc.AuthRoleGrantPermissionRequest, rpc.AuthRoleGrantPermissionResponse],
    { name: role, perm: rng.chance(3) ? undefined : rng.chance(3) ? broken : permission },
  );
}

function look(rng: SeededRng): Step {
  const by = who(rng);
  return rng.pick([
    () =>
      step(by, "Auth/UserGet", [rpc.AuthUserGetRequest, rpc.AuthUserGetResponse], {
        name: rng.pick(users),
      }),
    () =>
      step(by, "Auth/RoleGet", [rpc.AuthRoleGetRequest, rpc.AuthRoleGetResponse], {
        role: rng.pick(roles),
      }),
    () => step(by, "Auth/UserList", [rpc.AuthUserListRequest, rpc.AuthUserListResponse], {}),
    () => step(by, "Auth/RoleList", [rpc.AuthRoleListRequest, rpc.AuthRoleListResponse], {}),
    () => authStatus,
  ])();
}

export const authStatus: Step = step(
  "root",
  "Auth/AuthStatus",
  [rpc.AuthStatusRequest, rpc.AuthStatusResponse],
  {},
);

function putFields(rng: SeededRng): Partial<rpc.PutRequest> {
  return {
    ...{ key: Buffer.from(rng.pick(keys)), value: Buffer.from(`v${rng.int(100)}`) },
    prev_kv: rng.chance(20),
    lease: rng.chance(20) ? BigInt(1 + rng.int(2)) : 0n,
  };
}

function operation(rng: SeededRng, depth: number): rpc.RequestOp {
  const zero = <T extends object>(type: Message<T>, fields: Partial<T>): T => ({
    ...type.decode(empty),
    ...fields,
  });
  const draw = rng.int(depth > 0 ? 7 : 6);
  if (draw < 3) {
    return { request: { $case: "request_range", value: zero(rpc.RangeRequest, range(rng)) } };
  }
  if (draw < 5) {
    // One key for each place, so that no transaction writes a key twice.
    const put = { ...putFields(rng), key: Buffer.from(`${keys[draw]}${rng.int(1_000_000)}`) };
    return { request: { $case: "request_put", value: zero(rpc.PutRequest, put) } };
  }
  if (draw < 6) {
    const value = zero(rpc.DeleteRangeRequest, {
      key: Buffer.from("gone"),
      prev_kv: rng.chance(50),
    });
    return { request: { $case: "request_delete_range", value } };
  }
  return {
    request: { $case: "request_txn", value: zero(rpc.TxnRequest, txnFields(rng, depth - 1)) },
  };
}

function txnFields(rng: SeededRng, depth: number): Partial<rpc.TxnRequest> {
  const ops = () => Array.from({ length: rng.int(3) }, () => operation(rng, depth));
  const compare = {
    ...rpc.Compare.decode(empty),
    ...{ key: Buffer.from(rng.pick(keys)), target: rpc.Compare_CompareTarget.CREATE },
    target_union: { $case: "create_revision" as const, value: 0n },
  };
  return { compare: rng.chance(60) ? [compare] : [], success: ops(), failure: ops() };
}

function use(rng: SeededRng): Step {
  const by = who(rng);
  const draws: readonly (() => Step)[] = [
    ...Array.from(
      { length: 5 },
      () => () =>
        step(by, "KV/Range", [rpc.RangeRequest, rpc.RangeResponse], {
          ...range(rng),
          serializable: rng.chance(20),
        }),
    ),
    ...Array.from(
      { length: 5 },
      () => () => step(by, "KV/Put", [rpc.PutRequest, rpc.PutResponse], putFields(rng)),
    ),
    () =>
      step(by, "KV/DeleteRange", [rpc.DeleteRangeRequest, rpc.DeleteRangeResponse], {
        ...range(rng),
        prev_kv: rng.chance(30),
      }),
    ...Array.from(
      { length: 3 },
      () => () => step(by, "KV/Txn", [rpc.TxnRequest, rpc.TxnResponse], txnFields(rng, 0)),
    ),
    () =>
      step("root", "Lease/LeaseGrant", [rpc.LeaseGrantRequest, rpc.LeaseGrantResponse], {
        ...{ ID: BigInt(1 + rng.int(2)), TTL: 50_000n },
      }),
    () =>
      step(by, "Lease/LeaseRevoke", [rpc.LeaseRevokeRequest, rpc.LeaseRevokeResponse], {
        ID: BigInt(1 + rng.int(2)),
      }),
  ];
  return rng.pick(draws)();
}

/** Switches auth off and on again, with something in between. */
function offAndOn(rng: SeededRng): Step[] {
  return [
    step("root", "Auth/AuthDisable", [rpc.AuthDisableRequest, rpc.AuthDisableResponse], {}),
    use(rng),
    manage(rng),
    login("u1", "p"),
    step("root", "Auth/AuthEnable", [rpc.AuthEnableRequest, rpc.AuthEnableResponse], {}),
    login("root", "root"),
  ];
}

/** Creates users and switches auth on, on a fresh server. */
export const founding: readonly Step[] = [
  authStatus,
  step("nobody", "Auth/AuthEnable", [rpc.AuthEnableRequest, rpc.AuthEnableResponse], {}),
  step("nobody", "Auth/UserAdd", [rpc.AuthUserAddRequest, rpc.AuthUserAddResponse], {
    ...{ name: "root", password: "root" },
  }),
  step("nobody", "Auth/AuthEnable", [rpc.AuthEnableRequest, rpc.AuthEnableResponse], {}),
  grantRole("nobody", { name: "root", role: "root" }),
  step("nobody", "Auth/AuthEnable", [rpc.AuthEnableRequest, rpc.AuthEnableResponse], {}),
  login("root", "root"),
  authStatus,
];

/**
 * A role never has more than 12 permissions, because etcd's order of those of one key is not stated
 * above that, and the first one of a key is the one that a grant can change.
 */
const freshRoles: readonly Step[] = roles.flatMap((name) => [
  step("root", "Auth/RoleDelete", [rpc.AuthRoleDeleteRequest, rpc.AuthRoleDeleteResponse], {
    role: name,
  }),
  step("root", "Auth/RoleAdd", [rpc.AuthRoleAddRequest, rpc.AuthRoleAddResponse], { name }),
]);

export function sequence(rng: SeededRng, length: number): Step[] {
  const steps: Step[] = [...freshRoles];
  while (steps.length < length) {
    const draw = rng.int(100);
    if (draw < 30) steps.push(manage(rng));
    else if (draw < 45) steps.push(login(rng.pick(users), rng.pick(passwords)));
    else if (draw < 55) steps.push(look(rng));
    else if (draw < 99) steps.push(use(rng));
    else steps.push(...offAndOn(rng));
  }
  return [...steps, authStatus];
}
