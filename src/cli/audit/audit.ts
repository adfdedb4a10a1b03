/**
 * `lockstep audit`: watches the members of an etcd v3 cluster, only reads, and reports when they no
 * longer hold the same data. With --once: exit 0 clean, 1 divergence, 2 cannot tell. Without it the
 * command ends with 1 at the first divergence, or with --keep-going when a signal ends it.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { findingWeights } from "../../audit/finding.js";
import { type AppliedBefore, judgeRound, progressOf } from "../../audit/judge-round.js";
import { prometheusContentType } from "../../metrics/prometheus-text.js";
import { CtlError } from "../ctl/flags.js";
import { type AuditFlags, auditUsage, readAuditFlags } from "./audit-flags.js";
import { type AuditedRound, roundJson, roundMetrics, roundText } from "./audit-output.js";
import { ClusterAuditor } from "./cluster-auditor.js";

const wrongUsage = 2;
const exitCodes = { clean: 0, divergence: 1, unknown: 2 } as const;
const printers = { simple: roundText, json: roundJson, prometheus: roundMetrics } as const;

export async function runAudit(words: readonly string[]): Promise<number> {
  let flags: AuditFlags | "help";
  try {
    flags = readAuditFlags(words, process.env);
  } catch (error) {
    if (!(error instanceof CtlError || (error as NodeJS.ErrnoException).code !== undefined))
      throw error;
    return complain(`${(error as Error).message} (see lockstep audit --help)`);
  }
  if (flags === "help") {
    process.stdout.write(auditUsage);
    return 0;
  }
  const auditor = new ClusterAuditor(flags);
  try {
    return flags.isOnce ? await once(flags, auditor) : await watch(flags, auditor);
  } finally {
    auditor.close();
  }
}

function complain(text: string): number {
  process.stderr.write(`lockstep audit: ${text}\n`);
  return wrongUsage;
}

async function takeRound(
  auditor: ClusterAuditor,
  number: number,
  before?: AppliedBefore,
): Promise<AuditedRound> {
  const evidence = await auditor.round();
  return { number, atMs: Date.now(), evidence, judgement: judgeRound(evidence, before) };
}

async function once(flags: AuditFlags, auditor: ClusterAuditor): Promise<number> {
  let round: AuditedRound;
  try {
    round = await takeRound(auditor, 1);
  } catch (error) {
    return complain((error as Error).message);
  }
  process.stdout.write(printers[flags.format](round));
  tellWhyUnknown(round);
  return exitCodes[round.judgement.verdict];
}

function tellWhyUnknown({ judgement }: AuditedRound): void {
  if (judgement.verdict !== "unknown") return;
  const reasons = judgement.findings.filter(({ kind }) => findingWeights[kind] === "unknown");
  complain(`cannot tell: ${reasons.map(({ text }) => text).join("; ")}`);
}

async function watch(flags: AuditFlags, auditor: ClusterAuditor): Promise<number> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, end);
  let metrics = "";
  let server: Server | undefined;
  try {
    if (flags.listen !== undefined) server = await serve(flags.listen, () => metrics);
  } catch (error) {
    return complain(`--listen: ${(error as Error).message}`);
  }
  let exit: number = exitCodes.clean;
  let before: AppliedBefore | undefined;
  try {
    for (let number = 1; !ending.signal.aborted; number++) {
      const round = await takeRound(auditor, number, before).catch((error: Error) => error);
      if (round instanceof Error) complain(round.message);
      else {
        metrics = roundMetrics(round);
        before = progressOf(round.evidence);
        process.stdout.write(printers[flags.format](round));
        tellWhyUnknown(round);
        if (round.judgement.verdict === "divergence") exit = exitCodes.divergence;
        if (exit !== exitCodes.clean && !flags.keepsGoing) return exit;
      }
      await sleep(flags.intervalMs, undefined, { signal: ending.signal }).catch(() => {});
    }
    return exit;
  } finally {
    server?.close();
    server?.closeAllConnections();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.removeListener(signal, end);
  }
}

/** @throws the error of listening */
async function serve(
  { host, port }: NonNullable<AuditFlags["listen"]>,
  metrics: () => string,
): Promise<Server> {
  const server = createServer((request, response) => {
    const isKnown = request.url?.split("?")[0] === "/metrics";
    response.writeHead(isKnown ? 200 : 404, { "content-type": prometheusContentType });
    response.end(isKnown ? metrics() : "not found: see /metrics\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const at = server.address() as AddressInfo;
  process.stderr.write(`lockstep audit: metrics at http://${host}:${at.port}/metrics\n`);
  return server;
}
