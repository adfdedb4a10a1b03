/** The flags of `lockstep torture`. */
import { parseArgs } from "node:util";
import { type FaultKind, faultKinds } from "../../torture/fault-plan.js";
import { type Issue, issues } from "../../torture/reproduce/issues.js";

export const tortureUsage = `Usage: lockstep torture [--target lockstep | --etcd PATH] [flags]

Starts a cluster of real processes, sends it traffic, harms its members, and says whether every
promise held: linearizable answers, serializable reads, watches, equal data on all members. See
docs/robustness.md.

  --target lockstep  members of this build (the default)
  --etcd PATH        members of this etcd binary
  --reproduce ISSUE  replays a historical issue of etcd: exit 1 if it shows, 0 if not
                     (${issues.map(({ number }) => number).join(", ")})
  --members N        members of the cluster, 1 to 7 (3)
  --faults LIST      ${faultKinds.join(",")}, or none (${faultKinds.join(",")})
  --duration T       length of the traffic: 30s, 5m, 1h (30s)
  --seed N           draws the same requests and faults again (random)
  --clients N        clients, each with one request at a time (8)
  --keys N           different keys (8)
  --pace T           pause of a client between an answer and its next request (5ms)
  --report DIR       where report, history, plan and logs go (lockstep-torture)

Exit: 0 clean, 1 a promise was broken, 2 it could not run or cannot be told, or wrong usage.
`;

export interface TortureFlags {
  /** Undefined: this build. */
  readonly etcd: string | undefined;
  /** Undefined: a run with drawn traffic. */
  readonly reproduce: Issue | undefined;
  readonly members: number;
  readonly faults: readonly FaultKind[];
  readonly durationMs: number;
  readonly seed: number;
  readonly clients: number;
  readonly keys: number;
  readonly paceMs: number;
  readonly report: string;
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** @throws Error with a text for people */
export function readTortureFlags(words: readonly string[], randomSeed: number): TortureFlags {
  const { values } = parseArgs({
    args: [...words],
    options: {
      target: { type: "string" },
      etcd: { type: "string" },
      reproduce: { type: "string" },
      members: { type: "string", default: "3" },
      faults: { type: "string", default: faultKinds.join(",") },
      duration: { type: "string", default: "30s" },
      seed: { type: "string" },
      clients: { type: "string", default: "8" },
      keys: { type: "string", default: "8" },
      pace: { type: "string", default: "5ms" },
      report: { type: "string", default: "lockstep-torture" },
    },
  });
  const { target, etcd, seed } = values;
  if (target !== undefined && target !== "lockstep") {
    throw new Error(`--target is lockstep; for etcd give its binary: --etcd PATH`);
  }
  if (target !== undefined && etcd !== undefined) {
    throw new Error("--target and --etcd exclude each other");
  }
  return {
    etcd,
    reproduce: values.reproduce === undefined ? undefined : issueOf(values.reproduce),
    members: whole("--members", values.members, [1, 7]),
    faults: faultsOf(values.faults),
    durationMs: duration("--duration", values.duration),
    seed: seed === undefined ? randomSeed : whole("--seed", seed, [0, 2 ** 48]),
    clients: whole("--clients", values.clients, [1, 500]),
    keys: whole("--keys", values.keys, [1, 900]),
    paceMs: duration("--pace", values.pace),
    report: values.report,
  };
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
  return text.split(",").map((name) => {
    const kind = faultKinds.find((one) => one === name);
    if (kind !== undefined) return kind;
    throw new Error(`--faults knows ${faultKinds.join(", ")}, not "${name}"`);
  });
}
