/** What this server should reach beside etcd, as ratios (lockstep / etcd 3.5.16) of one run. */
import type { Figures } from "./figures.js";

type Servers = Readonly<Record<string, Figures>> | undefined;

export interface Goal {
  readonly title: string;
  /** True: the value must not be above the bound; false: not below. */
  readonly isUpper: boolean;
  readonly least: number;
  readonly aim: number;
  /** Undefined: its scenario was not measured. */
  value(of: (scenario: string) => Servers): number | undefined;
}

function ratio(servers: Servers, field: keyof Figures): number | undefined {
  const { etcd35, lockstep } = servers ?? {};
  if (etcd35 === undefined || lockstep === undefined) return undefined;
  return lockstep[field] / etcd35[field];
}

const of =
  (scenario: string, field: keyof Figures) =>
  (servers: (name: string) => Servers): number | undefined =>
    ratio(servers(scenario), field);

const rate = (title: string, scenario: string, least: number, aim: number): Goal => ({
  ...{ title, least, aim, isUpper: false, value: of(scenario, "perSecond") },
});

const cost = (
  title: string,
  [scenario, field]: readonly [string, keyof Figures],
  [least, aim]: readonly [number, number],
): Goal => ({ title, least, aim, isUpper: true, value: of(scenario, field) });

const put3 = "put, 3 members, 100x10";
const oneMillion = "put among 1,000,000 keys, 1 member, 100x10";

export const goals: readonly Goal[] = [
  rate("put, 1 member, 100x10", "put, 1 member, 100x10", 1.5, 2),
  rate("put, 3 members on one machine, 100x10 at the leader", put3, 1.5, 2),
  rate("put, 1 client, 1 stream", "put, 1 member, 1x1", 1.2, 1.5),
  rate(
    "linearizable range, one key, 100x10",
    "linearizable range of one key, 1 member, 100x10",
    1.8,
    2.5,
  ),
  rate("range of 10,000 keys", "linearizable range of 10,000 keys, 1 member, 10x1", 1.3, 2),
  rate(
    "events, 1 writer to 1,000 watchers",
    "watch, 1 member, 1 writer to 1,000 watchers of one key",
    1.5,
    3,
  ),
  cost("CPU time of a put, 1 member", ["put, 1 member, 100x10", "cpuUs"], [0.7, 0.5]),
  cost("CPU time of a put, all of 3 members", [put3, "cpuUs"], [0.7, 0.5]),
  cost("p99 at 5,000 puts/s", ["put at 5,000/s, 1 member, 100 connections", "p99Ms"], [1, 0.7]),
  cost("resident memory with 1,000,000 keys of 256 bytes", [oneMillion, "preparedMiB"], [0.7, 0.5]),
  {
    title: "fall of the put rate from 10,000 to 5,000,000 keys",
    ...{ isUpper: true, least: 0.3, aim: 0.15 },
    value: (servers) => {
      const small = servers("put among 10,000 keys, 1 member, 100x10")?.lockstep;
      const large = servers("put among 5,000,000 keys, 1 member, 100x10")?.lockstep;
      if (small === undefined || large === undefined) return undefined;
      return 1 - large.perSecond / small.perSecond;
    },
  },
];
