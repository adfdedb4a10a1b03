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

/** A running cluster that a script is run against. */
export interface ScriptTarget {
  /** Where a script may keep files. */
  readonly folder: string;
  /** Of the members, in one order: "127.0.0.1:1234", and the URLs of the same members for peers. */
  readonly endpoints: readonly string[];
  readonly peerUrls: readonly string[];
  /** Before each call's own words; a flag of the same name in those is the one that counts. */
  readonly flags: readonly string[];
  /** More values for "{name}" in the steps. */
  readonly names?: Readonly<Record<string, string>>;
  /** Texts that two right servers print differently here, besides those of all scripts. */
  readonly alike?: readonly (readonly [RegExp, string])[];
}

export function plainTarget({ folder, endpoints, members }: Cluster): ScriptTarget {
  const peerUrls = members.map(({ peerUrl }) => peerUrl);
  return { folder, endpoints, peerUrls, flags: [`--endpoints=${endpoints[0]}`] };
}

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
  /** Lines of the output and elements of its lists come in no fixed order. */
  readonly isUnordered?: boolean;
  /** Standard error holds log lines that are etcdctl's own matter. */
  readonly ignoresErrors?: boolean;
  /** Repeats the call until its standard output matches; only the last call is reported. */
  readonly retryUntil?: RegExp;
  /** Reports only the first match of this, for output that depends on the machine. */
  readonly keeps?: RegExp;
  readonly limitMs?: number;
  /** Which member it was depends on the cluster, so names of members are hidden. */
  readonly hidesMembers?: boolean;
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

  constructor(args: readonly string[], input = "", limitMs = STEP_LIMIT_MS) {
    this.#child = spawn(etcdctlPath(), [...args], { env: cleanEnv({ ETCDCTL_API: "3" }) });
    this.#child.stdin.on("error", () => undefined);
    this.#child.stdin.end(input);
    this.#child.stdout.on("data", (chunk) => {
      this.stdout += chunk;
      this.#check();
    });
    this.#child.stderr.on("data", (chunk) => {
      this.stderr += chunk;
    });
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), limitMs);
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
async function replacements(target: ScriptTarget): Promise<(readonly [RegExp, string])[]> {
  const list: (readonly [RegExp, string])[] = [[escaped(target.folder), "FOLDER"]];
  target.endpoints.forEach((endpoint, at) => {
    const peerUrl = escaped(target.peerUrls[at] ?? "?");
    list.push([escaped(endpoint), `CLIENT${at}`], [peerUrl, `PEER${at}`]);
  });
  const call = new Call([...target.flags, "member", "list", "-w", "fields"]);
  if ((await call.ended) !== "exit 0") throw new Error(`member list: ${call.stderr}`);
  const hide = (id: string, by: string): void => {
    list.push([escaped(BigInt(id).toString(16)), by], [escaped(id), by]);
  };
  for (const [, id = "", name = ""] of call.stdout.matchAll(/"ID" : (\d+)\n"Name" : "(.*)"/g)) {
    hide(id, `M-${name}`);
  }
  hide(/"ClusterID" : (\d+)/.exec(call.stdout)?.[1] ?? "", "CLUSTER");
  return list;
}

export async function runScript(
  target: ScriptTarget,
  steps: readonly Step[],
): Promise<readonly StepResult[]> {
  const captured = new Map<string, string>([
    ["folder", target.folder],
    ["endpoints", target.endpoints.join(",")],
    ...Object.entries(target.names ?? {}),
  ]);
  const running = new Map<string, Call>();
  const own = await replacements(target);
  const results: StepResult[] = [];
  const normal = (text: string, step: Step): string => {
    let out = text;
    const alike = [...own, ...(target.alike ?? []), ...WIDTHS, ...COMMON];
    for (const [pattern, by] of alike) out = out.replace(pattern, by);
    if (step.hidesMembers === true) out = out.replace(/\b(M-m|CLIENT|PEER)\d/g, "$1");
    if (step.keeps !== undefined) out = step.keeps.exec(out)?.[0] ?? out;
    return step.isUnordered === true
      ? out
          .split(/[\n,[\]"]+/)
          .sort()
          .join("\n")
      : out;
  };
  const start = ({ run, input, limitMs }: Step): Call => {
    const text = run.replace(/\{(\w+)\}/g, (_all, name) => captured.get(name) ?? "?");
    const words = text.split(" ").map((arg) => arg.replaceAll("␠", " "));
    return new Call([...withoutRepeated(target.flags, words), ...words], input, limitMs);
  };
  for (const step of steps) {
    let call: Call;
    if (step.finish !== undefined) {
      call = running.get(step.finish) as Call;
      call.interrupt();
    } else {
      call = start(step);
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
    let end = await call.ended;
    const giveUpMs = Date.now() + STEP_LIMIT_MS;
    while (step.retryUntil?.test(call.stdout) === false && Date.now() < giveUpMs) {
      call = start(step);
      end = await call.ended;
    }
    if (step.capture !== undefined) {
      captured.set(step.capture.name, step.capture.from.exec(call.stdout)?.[1] ?? "?");
    }
    const errors = step.ignoresErrors === true ? "" : call.stderr.replace(CLIENT_LOG, "");
    const output = `${call.stdout}${errors === "" ? "" : `\n[stderr] ${errors}`}\n[${end}]`;
    results.push({ run: step.run, output: normal(output, step) });
  }
  return results;
}

/** Flags without those that the words give themselves. */
function withoutRepeated(flags: readonly string[], words: readonly string[]): readonly string[] {
  const given = new Set(words.map((word) => word.split("=", 1)[0]));
  return flags.filter((flag) => !given.has(flag.split("=", 1)[0]));
}

export function inFolder(name: string): string {
  return join("{folder}", name);
}
