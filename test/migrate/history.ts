/** A store with everything that a backup must carry over, and what can be compared of it afterwards. */
import { complete } from "../../src/cli/ctl/method.js";
import { Permission } from "../../src/wire/gen/auth.js";
import { bytes, type EtcdClient } from "../support/client.js";
import { manyKeysFlags, putMany } from "../support/many-keys.js";

export const storeFlags: readonly string[] = [...manyKeysFlags, "--bcrypt-cost=4"];
const isCampaign = process.env.LOCKSTEP_CAMPAIGNS === "1";
export const historySize: HistorySize = isCampaign
  ? { keys: 100_000, leases: 1_000, users: 50 }
  : { keys: 2_000, leases: 20, users: 3 };
/** `npm test` asks one etcd, a campaign both. */
export const realEtcds: readonly ("etcd34" | "etcd35")[] = isCampaign
  ? ["etcd34", "etcd35"]
  : ["etcd35"];

export interface HistorySize {
  readonly keys: number;
  readonly leases: number;
  /** Default 0. Each with a role and a right of its own. */
  readonly users?: number;
}

/** Keys, old revisions, deletions, leases with keys, a compaction in the middle, more changes. */
export async function writeHistory(client: EtcdClient, size: HistorySize): Promise<void> {
  await putMany(client, size.keys, { valueBytes: 20 });
  const leases = Array.from({ length: size.leases }, (_, at) => BigInt(1_000 + at));
  for (let from = 0; from < leases.length; from += 50) {
    const some = leases.slice(from, from + 50);
    await Promise.all(some.map((ID) => client.leaseGrant({ ID, TTL: 3_600n + (ID % 100n) })));
    await Promise.all(
      some.map((lease) => client.put({ key: bytes(`leased/${lease}`), value: bytes("v"), lease })),
    );
  }
  for (let at = 0; at < 40; at++) {
    await client.put({ key: bytes(`changed/${at % 7}`), value: bytes(`${at}`) });
  }
  const deleted = await client.deleteRange({
    key: bytes("changed/1"),
    range_end: bytes("changed/3"),
  });
  await client.compact({ revision: deleted.header?.revision ?? 1n, physical: true });
  await client.put({ key: bytes("changed/1"), value: bytes("again") });
  await client.deleteRange({ key: bytes("changed/4") });
  await client.put({ key: bytes("large"), value: Buffer.alloc(300_000, "x") });
  // About as long as a page of bbolt, where several share pages.
  for (let at = 0; at < 20; at++) {
    await client.put({ key: bytes(`page/${at}`), value: Buffer.alloc(3_000 + 200 * at, "p") });
  }
  for (let at = 0; at < (size.users ?? 0); at++) await addUser(client, at);
}

async function addUser(client: EtcdClient, at: number): Promise<void> {
  const [name, role] = [`user-${at}`, `role-${at}`];
  await client.roleAdd({ name: role });
  const own = { key: bytes(`own/${at}/`), range_end: bytes(`own/${at}0`), permType: at % 3 };
  await client.roleGrantPermission({ name: role, perm: complete(Permission, own) });
  await client.userAdd({ name, password: `password ${at}` });
  await client.userGrantRole({ user: name, role });
}

/** Names of users with their roles and those roles' rights. */
async function usersOf(client: EtcdClient): Promise<unknown> {
  const { users } = await client.userList({});
  const known: unknown[] = [];
  for (const name of users) {
    const { roles } = await client.userGet({ name });
    const rights = await Promise.all(roles.map((role) => client.roleGet({ role })));
    known.push([name, roles, rights.map(({ perm }) => perm)]);
  }
  return known;
}

export interface Picture {
  readonly revision: bigint | undefined;
  readonly count: bigint;
  readonly hash: number;
  readonly compacted: bigint;
  readonly [more: string]: unknown;
}

/** What two stores with the same history answer alike. */
export async function picture(client: EtcdClient, leases: number): Promise<Picture> {
  const hash = await client.hashKv({ revision: 0n });
  const { leases: known } = await client.leases({});
  const all = await client.range({ key: bytes("\0"), range_end: bytes("\0"), count_only: true });
  const leased = await client.leaseTimeToLive({ ID: 1_000n, keys: true });
  const last = await client.leaseTimeToLive({ ID: BigInt(999 + leases), keys: true });
  const changed = await client.range({ key: bytes("changed/"), range_end: bytes("changed0") });
  const old = await client.range({ key: bytes("many/000000000"), revision: 1n }).then(
    () => "answered",
    (error: { details?: string }) => error.details ?? String(error),
  );
  return {
    revision: all.header?.revision,
    count: all.count,
    hash: hash.hash,
    compacted: hash.compact_revision,
    leases: known.map(({ ID }) => ID).sort(),
    leased: [leased, last].map(({ grantedTTL, keys }) => [grantedTTL, keys.map(String)]),
    changed: changed.kvs.map(({ key, value, mod_revision, version, lease }) => [
      String(key),
      String(value),
      mod_revision,
      version,
      lease,
    ]),
    old,
    users: await usersOf(client),
  };
}
