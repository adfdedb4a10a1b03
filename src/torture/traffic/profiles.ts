/** Kinds of traffic by name: which clients there are, and what they ask. */
import { kubernetes, large, mixed, type RequestMix, writes } from "./draw-request.js";

export interface Profile {
  readonly name: string;
  readonly about: string;
  readonly mix: RequestMix;
  /** How many clients use leases. */
  readonly leaseClients: number;
  /** How many clients compact, defragment, hash and take snapshots. */
  readonly upkeepClients: number;
  /** How many clients read and write, instead of the usual number. Flags come first. */
  readonly clients?: number;
  readonly keys?: number;
  readonly paceMs?: number;
}

const quiet = { leaseClients: 0, upkeepClients: 0 };

export const profiles: readonly Profile[] = [
  {
    ...{ name: "mixed", about: "puts, reads of all kinds, deletes, transactions" },
    ...{ mix: mixed, ...quiet },
  },
  {
    ...{ name: "all", about: "mixed, with leases, compaction, defragmentation, snapshots, hashes" },
    ...{ mix: mixed, leaseClients: 2, upkeepClients: 1 },
  },
  {
    ...{ name: "leases", about: "leases that are renewed, revoked, and end" },
    ...{ mix: mixed, ...quiet, leaseClients: 8, clients: 4 },
  },
  {
    ...{ name: "upkeep", about: "compaction, defragmentation, snapshots and hashes all the time" },
    ...{ mix: mixed, ...quiet, upkeepClients: 4 },
  },
  {
    ...{ name: "kubernetes", about: "paged lists, creation, update and deletion as an API server" },
    ...{ mix: kubernetes, ...quiet, upkeepClients: 1, keys: 12 },
  },
  {
    ...{ name: "large", about: "values of up to 200 kB beside small ones, reads of everything" },
    ...{ mix: large, ...quiet, upkeepClients: 1, paceMs: 20 },
  },
  {
    ...{ name: "writes", about: "as many writes as the cluster takes, from 48 clients" },
    ...{ mix: writes, ...quiet, clients: 48, keys: 64, paceMs: 0 },
  },
];

/** @throws Error that names all */
export function profileOf(name: string): Profile {
  const profile = profiles.find((one) => one.name === name);
  if (profile !== undefined) return profile;
  const known = profiles.map((one) => one.name).join(", ");
  throw new Error(`--profile knows ${known}, not "${name}"`);
}
