/**
 * Three members with mutual TLS between all, and auth on: whatever etcdctl 3.5 can do, it prints the
 * same on etcd 3.5 and here, as root and as a user with few rights.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { freePorts } from "../../../src/platform/node/free-ports.js";
import { Authority } from "../../support/certificates.js";
import { SecureCluster } from "../../support/secure-cluster.js";
import { isMissing, type ServerKind } from "../../support/server-kind.js";
import { runScript, type ScriptTarget, type StepResult } from "../etcdctl.js";
import { afterJoin, beforeJoin } from "./etcdctl-script.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-secure-"));
const authority = new Authority(join(folder, "pki"));
const isCampaign = process.env.LOCKSTEP_CAMPAIGNS === "1";
const clusters: SecureCluster[] = [];
afterAll(async () => {
  await Promise.all(clusters.map((cluster) => cluster.kill()));
  rmSync(folder, { recursive: true, force: true });
});

/**
 * Here as in the last versions of etcd: everybody may ask whether auth is on; only root compacts and moves
 * the leader; who may not write a lease's keys does not renew it. A token of one member of etcd 3.5 may
 * be unknown to the next for a moment.
 */
const later = [
  ["auth status --user=u:upw", /Authentication Status: true/, 0],
  ["compaction 4 --user=u:upw", /permission denied/, 1],
  ["move-leader 1 --endpoints={all} --user=u:upw", /permission denied/, 1],
  ["lease keep-alive {foreign} --once --user=u:upw", /permission denied/, 2],
  ["endpoint hashkv --cluster --user=root:pw", /(https:.*\n){3}/, 0],
  ["defrag --cluster --user=root:pw", /(Finished.*\n){3}/, 0],
] as const;

/** Later etcd gives these refusals their own code and text. */
const alike = [[/rpc error: code = Unknown desc = auth: /g, "etcdserver: "]] as const;

async function runAll(kind: ServerKind): Promise<string> {
  const own = join(folder, kind);
  mkdirSync(own);
  const cluster = await SecureCluster.start({ kind, folder: own, authority });
  clusters.push(cluster);
  const ports = await freePorts("127.0.0.1", 2);
  const [clientUrl, peerUrl] = ports.map((port) => `https://127.0.0.1:${port}`);
  if (clientUrl === undefined || peerUrl === undefined) throw new Error("no free ports");
  const urls = cluster.endpoints.map((endpoint) => `https://${endpoint}`);
  const target: ScriptTarget = {
    folder: own,
    endpoints: [...cluster.endpoints, clientUrl.slice("https://".length)],
    peerUrls: [...cluster.peerUrls, peerUrl],
    flags: [...cluster.ctlFlags, "--user=root:pw"],
    names: {
      ...{ endpoints: urls.join(","), first: urls[0] ?? "", added: peerUrl },
      ...{ peer: cluster.peerUrls[0] ?? "", ca: cluster.caFile, ...cluster.client },
    },
    alike,
  };
  const before = await runScript(target, beforeJoin(isCampaign));
  if (kind === "lockstep") {
    const { text } = await cluster.etcdctl("lease grant 600 --user=root:pw");
    const foreign = /lease (\w+) granted/.exec(text)?.[1] ?? "";
    await cluster.etcdctl(`put z/renewed 1 --lease=${foreign} --user=root:pw`);
    for (const [words, told, code] of later) {
      const filled = words.replace("{foreign}", foreign).replace("{all}", urls.join(","));
      const printed = await cluster.etcdctl(filled);
      expect(printed.text, words).toMatch(told);
      expect(printed.code, words).toBe(code);
    }
  }
  cluster.startAdded(peerUrl, clientUrl);
  return story([...before, ...(await runScript(target, afterJoin))]);
}

function story(results: readonly StepResult[]): string {
  return results.map(({ run, output }) => `$ etcdctl ${run}\n${output}`).join("\n\n");
}

describe.skipIf(isMissing("lockstep", "etcd35"))("mutual TLS and auth", () => {
  test("every command of etcdctl prints the same on three members of etcd and here", async () => {
    const [theirs, ours] = await Promise.all([runAll("etcd35"), runAll("lockstep")]);
    expect(ours).toBe(theirs);
    expect(ours.split("permission denied").length).toBeGreaterThan(30);
  }, 240_000);
});
