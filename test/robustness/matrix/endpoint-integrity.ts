/** What operators see: `lockstep ctl endpoint integrity`, and the metric for alerts. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { ClusterMember } from "../../support/cluster.js";
import { projectRoot } from "../../support/server-kind.js";

export function endpointIntegrity(members: readonly ClusterMember[]): {
  readonly code: number | null;
  readonly text: string;
} {
  const endpoints = members.map(({ endpoint }) => endpoint).join(",");
  const words = ["ctl", "--endpoints", endpoints, "endpoint", "integrity"];
  const run = spawnSync(process.execPath, [join(projectRoot, "bin/lockstep"), ...words], {
    encoding: "utf8",
    timeout: 30_000,
  });
  return { code: run.status, text: run.stdout };
}

/** `lockstep_integrity_comparable` for each peer. */
export async function comparableMetrics(member: ClusterMember): Promise<number[]> {
  const response = await fetch(`http://${member.endpoint}/metrics`);
  const line = /^lockstep_integrity_comparable\{[^}]*\} (\d+)$/gm;
  return [...(await response.text()).matchAll(line)].map(([, value]) => Number(value));
}
