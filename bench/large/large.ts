/**
 * Large requests, each beside a probe of small reads (`npm run bench -- --only large`): the time of
 * the request, the CPU time of the server meanwhile (with the probe's reads), the probe's longest wait
 * and 99th percentile, the server's peak memory. A fresh member of each server in turn, with the same
 * keys.
 */
import { writeFileSync } from "node:fs";
import { Cluster, type ClusterMember } from "../../test/support/cluster.js";
import type { ServerKind } from "../../test/support/server-kind.js";
import { Caller } from "./caller.js";
import { Probe, type Waits } from "./probe.js";
import { fill, keyOf, type LargeRequest, largeRequests } from "./requests.js";

export interface LargeOptions {
  readonly servers: readonly ServerKind[];
  readonly keys: number;
  /** Only rows whose name contains this. */
  readonly rows: string;
  /** Ends the members by SIGTERM, so that they write their profiles. */
  readonly isStopped: boolean;
}

export interface LargeResult {
  readonly name: string;
  readonly requestMs: number;
  /** CPU seconds of all threads of the server: other work disturbs them less than the time. */
  readonly cpuSeconds: number;
  /** Undefined for a restart, where nobody can be answered. */
  readonly waits: Waits | undefined;
  readonly peakBytes: number;
}

const flags = ["--quota-backend-bytes=17179869184"];
const mebibyte = 2 ** 20;
/** The probe runs alone for so long before and after a request. */
const aloneMs = 100;

/** Measures each server in turn. Gives the results by its kind. */
export async function measureLarge(
  options: LargeOptions,
): Promise<ReadonlyMap<ServerKind, readonly LargeResult[]>> {
  const results = new Map<ServerKind, readonly LargeResult[]>();
  for (const kind of options.servers) results.set(kind, await measureServer(kind, options));
  return results;
}

async function measureServer(kind: ServerKind, options: LargeOptions): Promise<LargeResult[]> {
  const cluster = await Cluster.start({ kind, flags });
  const caller = new Caller();
  try {
    const member = cluster.first;
    await fill(member, options.keys);
    const results: LargeResult[] = [];
    const tell = (result: LargeResult): void => {
      results.push(result);
      console.error(`${kind}: ${result.name}: ${cells(result).join(" | ")}`);
    };
    for (const request of largeRequests(options.keys / 2)) {
      if (!request.name.includes(options.rows)) continue;
      tell(await measureRequest(member, request, caller));
    }
    if ("restart".includes(options.rows)) tell(await measureRestart(member));
    if (options.isStopped) await member.stop();
    return results;
  } finally {
    caller.stop();
    await cluster.dispose();
  }
}

async function measureRequest(
  member: ClusterMember,
  request: LargeRequest,
  caller: Caller,
): Promise<LargeResult> {
  await request.prepare?.(member);
  const message = Buffer.from(await request.message(member)).toString("base64");
  const probe = await Probe.open(member.endpoint, keyOf(0));
  try {
    await pause(1_000);
    resetPeak(member);
    probe.start();
    await pause(aloneMs);
    const { endpoint } = member;
    const { path, copies = 1, name } = request;
    const cpuBefore = member.process.cpuSeconds();
    const startedMs = performance.now();
    await caller.call({ endpoint, path, message, copies });
    const requestMs = performance.now() - startedMs;
    const cpuSeconds = member.process.cpuSeconds() - cpuBefore;
    await pause(aloneMs);
    const waits = await probe.stop();
    return { name, requestMs, cpuSeconds, waits, peakBytes: member.process.memory().peakBytes };
  } finally {
    probe.close();
  }
}

async function measureRestart(member: ClusterMember): Promise<LargeResult> {
  await member.stop();
  const startedMs = performance.now();
  await member.start();
  const requestMs = performance.now() - startedMs;
  const { peakBytes } = member.process.memory();
  const cpuSeconds = member.process.cpuSeconds();
  return { name: "restart", requestMs, cpuSeconds, waits: undefined, peakBytes };
}

/** Lets the kernel count the peak of memory from now on. */
function resetPeak(member: ClusterMember): void {
  writeFileSync(`/proc/${member.process.pid}/clear_refs`, "5");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function cells({ requestMs, cpuSeconds, waits, peakBytes }: LargeResult): readonly string[] {
  const seconds = (requestMs / 1_000).toFixed(2);
  const ms = (of: number): string => of.toFixed(of < 10 ? 1 : 0);
  return [
    seconds,
    cpuSeconds.toFixed(2),
    waits === undefined ? "-" : ms(waits.longestMs),
    waits === undefined ? "-" : ms(waits.p99Ms),
    (peakBytes / mebibyte).toFixed(0),
  ];
}

/** The table. Its ratios are the last server's time over the first's. */
export function largeTable(results: ReadonlyMap<ServerKind, readonly LargeResult[]>): string {
  const servers = [...results.keys()];
  const columns = servers.map((kind) => `${kind} s | CPU s | longest wait ms | p99 ms | peak MiB`);
  const lines = (results.get(servers[0] as ServerKind) ?? []).map(({ name }, at) => {
    const row = servers.map((kind) => results.get(kind)?.[at] as LargeResult);
    const ratio = (row.at(-1)?.requestMs ?? 0) / (row[0]?.requestMs ?? 1);
    return `| ${[name, ...row.flatMap(cells), ratio.toFixed(2)].join(" | ")} |`;
  });
  const count = 2 + 5 * servers.length;
  const head = `| request | ${columns.join(" | ")} | ratio of times |`;
  return [head, `|${" --- |".repeat(count)}`, ...lines].join("\n");
}
