/**
 * Runs scripts of etcdctl calls against a cluster and gives what each printed, with everything
 * replaced that two right servers may print differently: ids, ports, durations, versions, sizes,
 * terms and raft indexes. Calls that do not end by themselves are interrupted once they printed what
 * they were waited for.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { cleanEnv } from "../../src/cli/stage/server-process.js";
import type { Cluster } from "../support/cluster.js";
import { etcdctlPath } from "../support/server-kind.js";

export interface Step {
  /** Split at spaces; "{name}" stands for a captured value, "{folder}" for the test's folder. */
  readonly run: string;
  readonly input?: string;
  /** Keeps the first group of a match in standard output for later steps. */
  readonly capture?: { readonly name: string; readonly from: RegExp };
  /** Interrupts the call (SIGINT) once its output matches. */
  readonly until?: RegExp;
  /** Starts the call and goes on as soon as its output matches; `finish` ends it. */
  readonly background?: { readonly name: string; readonly ready: RegExp };
  /** Interrupts a background call and reports its output. */
  readonly finish?: string;
  /** Lines of the output come in no fixed order. */
  readonly isUnordered?: boolean;
  /** Standard error holds log lines that are etcdctl's own matter. */
  readonly ignoresErrors?: boolean;
}

export interface StepResult {
  readonly run: string;
  readonly output: string;
}

const STEP_LIMIT_MS = 20_000;

class Call {
  stdout = "";
  stderr = "";
  readonly ended: Promise<string>;
  readonly #child;
  #check: () => void = () => undefined;

  constructor(args: readonly string[], input: string | undefined) {
    this.#child = spawn(etcdctlPath(), [...args], { env: cleanEnv({ ETCDCTL_API: "3" }) });
    this.#child.stdin.on("error", () => undefined);
    this.#child.stdin.end(input ?? "");
    this.#child.stdout.on("data", (chunk) => {
      this.stdout += chunk;
      this.#check();
    });
    this.#child.stderr.on("data", (chunk) => {
      this.stderr += chunk;
    });
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STEP_LIMIT_MS);
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        clearTimeout(timer);
        resolve(signal ?? `exit ${code}`);
      });
    });
  }
  /** Ends early, too, when the process does. */
  async printed(pattern: RegExp): Promise<void> {
    await Promise.race([
      this.ended,
      new Promise<void>((resolve) => {
        this.#check = () => {
          if (pattern.test(this.stdout)) resolve();
        };
        this.#check();
      }),
    ]);
  }
  interrupt(): void {
    this.#child.kill("SIGINT");
  }
}

/** [pattern, replacement], in order. */
const COMMON: readonly (readonly [RegExp, string])[] = [
  [/"(raft_term|raftTerm|raftIndex|raftAppliedIndex|dbSize|dbSizeInUse)":\d+/g, '"$1":N'],
  [/"(RaftTerm|RaftIndex|RaftAppliedIndex|DBSize|DBSizeInUse)" ?: ?\d+/gi, '"$1" : N'],
  [/"(version|Version)" ?: ?"3\.\d+\.\d+"/g, '"$1":"V"'],
  [/\b3\.[456]\.\d+\b/g, "V"],
  [/took = [\d.]+[mµun]?s/g, "took = T"],
  [/"took":"[\d.]+[mµun]?s"/g, '"took":"T"'],
  [/\b[\d.]+(ms|µs|us|ns)\b/g, "T"],
  [/\b[\d.]+ [kM]?B\b/g, "SIZE"],
  [/remaining\(\d+s\)/g, "remaining(R)"],
  [/"ttl":\d+,"granted-ttl"/g, '"ttl":R,"granted-ttl"'],
  [/"TTL" : \d+\n"GrantedTTL"/g, '"TTL" : R\n"GrantedTTL"'],
  // Locks and leases of a script have generated ids, which the hash covers.
  [/"(hash|Hash)" ?: ?\d+/g, '"$1":H'],
  [/(CLIENT\d)( \||,) \d{6,}/g, "$1$2 H"],
  // Columns of endpoint status: leader or not, then term and indexes.
  [/(true|false)(,| \|) (true|false)(,| \|) \d+(,| \|) \d+(,| \|) \d+(,| \|)/g, "LEADER, $3, N,"],
  // Generated lease and lock ids, in hex and in decimal.
  [/\b[0-9a-f]{14,16}\b/g, "HEX"],
  [/\b\d{15,20}\b/g, "ID"],
];
/** A line of the client library's own log, with times and addresses in memory. */
const CLIENT_LOG = /^\{"level":.*\n/gm;
/** Tables are as wide as what was replaced in them. */
const WIDTHS: readonly (readonly [RegExp, string])[] = [
  [/ {2,}/g, " "],
  [/-{3,}/g, "---"],
];

function escaped(text: string): RegExp {
  return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "g");
}

/** Replacements for one cluster: its endpoints, members, folder. */
async function replacements(cluster: Cluster): Promise<(readonly [RegExp, string])[]> {
  const list: (readonly [RegExp, string])[] = [[escaped(cluster.folder), "FOLDER"]];
  cluster.members.forEach((member, at) => {
    list.push([escaped(member.endpoint), `CLIENT${at}`], [escaped(member.peerUrl), `PEER${at}`]);
  });
  const { members, header } = await cluster.first.client.memberList({});
  for (const member of members) {
    list.push([escaped(member.ID.toString(16)), `M-${member.name}`]);
    list.push([escaped(member.ID.toString()), `M-${member.name}`]);
  }
  const clusterId = header?.cluster_id ?? 0n;
  list.push(
    [escaped(clusterId.toString()), "CLUSTER"],
    [escaped(clusterId.toString(16)), "CLUSTER"],
  );
  return list;
}

export async function runScript(
  cluster: Cluster,
  steps: readonly Step[],
): Promise<readonly StepResult[]> {
  const captured = new Map<string, string>([
    ["folder", cluster.folder],
    ["endpoints", cluster.endpoints.join(",")],
  ]);
  const running = new Map<string, Call>();
  const own = await replacements(cluster);
  const results: StepResult[] = [];
  const normal = (text: string, step: Step): string => {
    let out = text;
    for (const [pattern, by] of [...own, ...WIDTHS, ...COMMON]) out = out.replace(pattern, by);
    return step.isUnordered === true ? out.split("\n").sort().join("\n") : out;
  };
  for (const step of steps) {
    let call: Call;
    if (step.finish !== undefined) {
      call = running.get(step.finish) as Call;
      call.interrupt();
    } else {
      const text = step.run.replace(/\{(\w+)\}/g, (_all, name) => captured.get(name) ?? "?");
      const args = text.split(" ").map((arg) => arg.replaceAll("␠", " "));
      if (!text.includes("--endpoints")) args.unshift(`--endpoints=${cluster.first.endpoint}`);
      call = new Call(args, step.input);
    }
    if (step.background !== undefined) {
      running.set(step.background.name, call);
      await call.printed(step.background.ready);
      results.push({ run: step.run, output: "(in the background)" });
      continue;
    }
    if (step.until !== undefined) {
      await call.printed(step.until);
      call.interrupt();
    }
    const end = await call.ended;
    if (step.capture !== undefined) {
      captured.set(step.capture.name, step.capture.from.exec(call.stdout)?.[1] ?? "?");
    }
    const errors = step.ignoresErrors === true ? "" : call.stderr.replace(CLIENT_LOG, "");
    const output = `${call.stdout}${errors === "" ? "" : `\n[stderr] ${errors}`}\n[${end}]`;
    results.push({ run: step.run, output: normal(output, step) });
  }
  return results;
}

export function inFolder(name: string): string {
  return join("{folder}", name);
}
