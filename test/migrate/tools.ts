/** etcd's tools and this project's `utl`, run to their end. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { ClusterMember } from "../support/cluster.js";
import { etcdToolPath, projectRoot } from "../support/server-kind.js";

export interface Told {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

export function utl(...words: readonly string[]): Told {
  return run(process.execPath, [join(projectRoot, "bin/lockstep"), "utl", ...words]);
}

/** @throws Error with what the tool printed, if it fails */
export function etcdTool(
  kind: "etcd34" | "etcd35",
  tool: "etcdctl" | "etcdutl",
  ...words: readonly string[]
): string {
  const told = run(etcdToolPath(kind, tool), words);
  if (told.code !== 0) throw new Error(`${tool} ${words.join(" ")}: ${told.out}${told.error}`);
  return told.out;
}

/** The flags by which a restored member takes the place of one that was not started yet. */
export function placeOf(member: ClusterMember): string[] {
  const { plan } = member;
  return [
    ...["--data-dir", member.dataDir, "--name", plan.name],
    ...["--initial-cluster", plan.initialCluster],
    ...["--initial-cluster-token", plan.token],
    ...["--initial-advertise-peer-urls", member.peerUrl],
  ];
}

function run(command: string, words: readonly string[]): Told {
  const env = { ...process.env, ETCDCTL_API: "3" };
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: "utf8", env });
  return { code: status, out: stdout, error: stderr };
}
