/** The flags of `lockstep torture`. */
import { parseArgs } from "node:util";
import {
  type FaultKind,
  faultGroups,
  faultKinds,
  kindRules,
} from "../../torture/faults/fault-kinds.js";
import { type Issue, issues } from "../../torture/reproduce/issues.js";
import { type Profile, profileOf, profiles } from "../../torture/traffic/profiles.js";
import { type ClusterAccess, clusterAccessOf } from "./cluster-access.js";

export const tortureUsage = `Usage: lockstep torture [--target lockstep | --etcd PATH | --endpoints URLS] [flags]
       lockstep torture --reproduce ISSUE [--etcd PATH]
       lockstep torture --list-profiles | --list-faults
       lockstep torture merge DIR...

Starts a cluster of real processes, sends it traffic, harms its members, and says whether every
promise held: linearizable answers, serializable reads, watches, leases, equal data on all members.
See docs/robustness.md.

  --target lockstep  members of this build (the default)
  --etcd PATH        members of this etcd binary
  --endpoints URLS   a cluster that runs, as host:port,... or https://host:port,...: traffic and
                     checks under the prefix lockstep-torture/, no faults, and no call that
                     touches other keys. As for etcdctl: --cacert, --cert and --key FILE,
                     --insecure-skip-tls-verify, --user NAME[:PASSWORD], --password PASSWORD
  --reproduce ISSUE  replays a historical issue of etcd: exit 1 if it shows, 0 if not
                     (${issues.map(({ number }) => number).join(", ")})
  --members N        members of the cluster, 1 to 7 (3)
  --profile NAME     the traffic: ${profiles.map(({ name }) => name).join(", ")} (all)
  --faults LIST      kinds (--list-faults) or groups of them (${faultGroups.join(", ")}), or none
                     (crash,member,network,clock, as far as the target takes them)
  --plan FILE        the faults of a plan.json, instead of drawn ones
  --duration T       length of the traffic: 30s, 5m, 1h (30s)
  --seed N           draws the same requests and faults again (random)
  --runs N           so many runs, each on a new cluster and with the next seed (1)
  --until-failure    runs until one is not clean
  --shard I/N        of the runs those whose number leaves I when divided by N, 0 <= I < N
  --clients N        clients, each with one request at a time (8, or as the profile says)
  --keys N           different keys (8, or as the profile says)
  --pace T           pause of a client between an answer and its next request (5ms)
  --member-flag F    a further flag of all members, as --member-flag=--snapshot-count=100; repeatable
  --mutant ID        members of this build with a known bug put in (docs/mutants.md)
  --report DIR       where report, history, plan and logs go (lockstep-torture)

Exit: 0 clean, 1 a promise was broken, 2 it could not run or cannot be told, or wrong usage.
`;

export interface TortureFlags {
  /** The etcd binary to run. Undefined: this build. */
  readonly etcd: string | undefined;
  /**
   * Members of a running cluster, as host:port or a URL. Empty: the run starts its own processes.
   */
  readonly endpoints: readonly string[];
  /** How clients reach those members, and as which user. */
  readonly access: ClusterAccess;
  /** The issue to reproduce. Undefined: a run with drawn traffic. */
  readonly reproduce: Issue | undefined;
  /** The id of a mutant of this build. */
  readonly mutant: string | undefined;
  readonly members: number;
  /** Further flags of all members. */
  readonly memberFlags: readonly string[];
  readonly profile: Profile;
  readonly faults: readonly FaultKind[];
  /** True if the command line names the faults: one that is not possible is then an error. */
  readonly areFaultsAsked: boolean;
  /** The file of the plan. Undefined: faults are drawn. */
  readonly plan: string | undefined;
  readonly durationMs: number;
  readonly seed: number;
  /** How many runs. Infinity: until one is not clean. */
  readonly runs: number;
  readonly shard: { readonly index: number; readonly of: number };
  readonly clients: number;
  readonly keys: number;
  readonly paceMs: number;
  readonly report: string;
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const usualFaults = ["crash", "member", "network", "clock"];

/** @throws Error with a text for people */
export function readTortureFlags(words: readonly string[], randomSeed: number): TortureFlags {
  const { values } = parseArgs({
    args: [...words],
    options: {
      ...{ target: { type: "string" }, etcd: { type: "string" }, endpoints: { type: "string" } },
      ...{ reproduce: { type: "string" }, mutant: { type: "string" }, plan: { type: "string" } },
      members: { type: "string", default: "3" },
      profile: { type: "string", default: "all" },
      faults: { type: "string" },
      duration: { type: "string", default: "30s" },
      seed: { type: "string" },
      runs: { type: "string", default: "1" },
      "until-failure": { type: "boolean", default: false },
      shard: { type: "string", default: "0/1" },
      ...{ clients: { type: "string" }, keys: { type: "string" }, pace: { type: "string" } },
      report: { type: "string", default: "lockstep-torture" },
      "member-flag": { type: "string", multiple: true, default: [] },
      ...{ cacert: { type: "string" }, cert: { type: "string" }, key: { type: "string" } },
      ...{ user: { type: "string" }, password: { type: "string" } },
      "insecure-skip-tls-verify": { type: "boolean" },
    },
  });
  const { etcd, endpoints, mutant, seed } = values;
  refuseOtherTargets(values);
  const profile = profileOf(values.profile);
  const isOwn = endpoints === undefined;
  const usual = isOwn ? usualFaults.join(",") : "none";
  return {
    ...{ etcd, mutant, profile, plan: values.plan, report: values.report },
    memberFlags: values["member-flag"],
    endpoints: isOwn ? [] : endpoints.split(",").map(endpointOf),
    access: clusterAccessOf(values, isOwn ? [] : endpoints.split(",").map(endpointOf)),
    reproduce: values.reproduce === undefined ? undefined : issueOf(values.reproduce),
    members: whole("--members", values.members, [1, 7]),
    faults: faultsOf(values.faults ?? usual),
    areFaultsAsked: values.faults !== undefined,
    durationMs: duration("--duration", values.duration),
    seed: seed === undefined ? randomSeed : whole("--seed", seed, [0, 2 ** 48]),
    runs: values["until-failure"]
      ? Number.POSITIVE_INFINITY
      : whole("--runs", values.runs, [1, 1_000_000]),
    shard: shardOf(values.shard),
    clients: whole("--clients", values.clients ?? `${profile.clients ?? 8}`, [1, 400]),
    keys: whole("--keys", values.keys ?? `${profile.keys ?? 8}`, [1, 900]),
    paceMs: duration("--pace", values.pace ?? `${profile.paceMs ?? 5}ms`),
  };
}

interface Targets {
  readonly target?: string | undefined;
  readonly etcd?: string | undefined;
  readonly endpoints?: string | undefined;
  readonly mutant?: string | undefined;
  readonly faults?: string | undefined;
}

function refuseOtherTargets({ target, etcd, endpoints, mutant, faults }: Targets): void {
  if (target !== undefined && target !== "lockstep") {
    throw new Error(`--target is lockstep; for etcd give its binary: --etcd PATH`);
  }
  const given = [target, etcd, endpoints].filter((one) => one !== undefined);
  if (given.length > 1) throw new Error("--target, --etcd and --endpoints exclude each other");
  const isOther = etcd !== undefined || endpoints !== undefined;
  if (mutant !== undefined && isOther) throw new Error("--mutant is for --target lockstep only");
  if (endpoints !== undefined && faults !== undefined && faults !== "none") {
    throw new Error("--endpoints takes no faults: the processes there are not this command's");
  }
}

function endpointOf(text: string): string {
  const endpoint = text.trim().replace(/\/$/, "");
  if (/^(https?:\/\/)?[^/]+:\d+$/.test(endpoint)) return endpoint;
  throw new Error(`--endpoints takes host:port or https://host:port, by commas, not "${text}"`);
}

function shardOf(text: string): TortureFlags["shard"] {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (index !== undefined && Number(index) < Number(of)) {
    return { index: Number(index), of: Number(of) };
  }
  throw new Error(`--shard takes I/N with 0 <= I < N, not "${text}"`);
}

function whole(name: string, text: string, [least, most]: readonly [number, number]): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new Error(`${name} takes a whole number from ${least} to ${most}, not "${text}"`);
}

function duration(name: string, text: string): number {
  const [, number, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) {
    throw new Error(`${name} takes a time like 30s, 5m or 1h, not "${text}"`);
  }
  return Number(number) * (unitsMs[unit] ?? 0);
}

function issueOf(text: string): Issue {
  const issue = issues.find(({ number }) => `${number}` === text.replace(/^#/, ""));
  if (issue !== undefined) return issue;
  const known = issues.map(({ number }) => number).join(", ");
  throw new Error(`--reproduce knows ${known}, not "${text}"`);
}

function faultsOf(text: string): readonly FaultKind[] {
  if (text === "none") return [];
  const named = text.split(",").flatMap((name) => {
    const kinds = faultKinds.filter((kind) => kind === name || kindRules[kind].group === name);
    if (kinds.length > 0) return kinds;
    const known = [...faultGroups, ...faultKinds].join(", ");
    throw new Error(`--faults knows ${known}, not "${name}"`);
  });
  return faultKinds.filter((kind) => named.includes(kind));
}
