/**
 * Clients of Debian's, unchanged: python3-etcd3, python3-etcd3gw and Patroni's module etcd3, against
 * three members with mutual TLS and auth. Every answer and every error is the same on etcd 3.5.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { Authority } from "../../support/certificates.js";
import { SecureCluster } from "../../support/secure-cluster.js";
import { isMissing } from "../../support/server-kind.js";

const python = "/usr/bin/python3";
/** .ci/run installs them all. */
const has = (module: string): boolean =>
  process.env.CI === "true" ||
  spawnSync(python, ["-c", `import ${module}`], { stdio: "ignore" }).status === 0;

const folder = mkdtempSync(join(tmpdir(), "lockstep-python-"));
const authority = new Authority(join(folder, "pki"));
const clusters: SecureCluster[] = [];
const kinds = ["etcd35", "lockstep"] as const;
/** For each script clusters of their own: revisions are compared, too. */
async function start(): Promise<readonly SecureCluster[]> {
  const both = await Promise.all(
    kinds.map((kind) => {
      const own = mkdtempSync(join(folder, kind));
      return SecureCluster.start({ kind, folder: own, authority });
    }),
  );
  clusters.push(...both);
  const rights = ["a/", "/locks/door", "/service/"].map(
    (key) => `role grant-permission r readwrite ${key} --prefix`,
  );
  const users = ["role add r", ...rights, "user add u:upw", "user grant-role u r"];
  await Promise.all(both.map((cluster) => cluster.enableAuth(...users)));
  return both;
}
afterAll(async () => {
  await Promise.all(clusters.map((cluster) => cluster.kill()));
  rmSync(folder, { recursive: true, force: true });
});

/** Pairs of a call and its answer. @throws when the script ends otherwise. */
function answersOf(script: string, cluster: SecureCluster): Promise<readonly unknown[]> {
  const file = fileURLToPath(new URL(`./${script}`, import.meta.url));
  const { endpoints, caFile: ca, client, namelessClient: nameless } = cluster;
  return new Promise((resolve, reject) => {
    const child = spawn(python, [file], { env: ownEnv() });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (part) => (stdout += part));
    child.stderr.on("data", (part) => (stderr += part));
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(JSON.parse(normal(stdout)));
      else reject(new Error(`${script} ended with ${code}: ${stderr.slice(-2_000)}`));
    });
    child.stdin.end(`${JSON.stringify({ endpoints, ca, ...client, nameless })}\n`);
  });
}

/** No other authority and no proxy than the test's. */
function ownEnv(): NodeJS.ProcessEnv {
  const foreign = /^(REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_FILE|(https?|all)_proxy)$/i;
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return { ...Object.fromEntries(kept), PYTHONDONTWRITEBYTECODE: "1" };
}

/** Without what two right clusters answer differently: generated ids and raft's terms. */
function normal(text: string): string {
  return (
    text
      .replace(/(cluster_id|member_id|raft_term|ID|lease)(\\?": \\?"?|: )\d+/g, "$1$2N")
      .replace(/"\d{15,20}"/g, '"N"')
      // Later etcd gives these refusals their own codes and texts. The client sends no token for a hash.
      .replaceAll(
        '"RpcError", "UNKNOWN", "auth: user not found"',
        '"PreconditionFailedError", "FAILED_PRECONDITION", "etcdserver: user name not found"',
      )
      .replaceAll('"UNKNOWN", "auth: permission', '"PERMISSION_DENIED", "etcdserver: permission')
  );
}

describe.skipIf(isMissing(...kinds))("with mutual TLS and auth", () => {
  test.skipIf(!has("etcd3"))("python3-etcd3", () => compare("etcd3_calls.py"), 180_000);
  test.skipIf(!has("etcd3gw"))("python3-etcd3gw", () => compare("etcd3gw_calls.py"), 180_000);
  test.skipIf(!has("patroni.dcs.etcd3"))("Patroni", () => compare("patroni_calls.py"), 180_000);
});

async function compare(script: string): Promise<void> {
  const both = await start();
  const [theirs, ours] = await Promise.all(both.map((cluster) => answersOf(script, cluster)));
  expect(ours).toEqual(theirs);
  expect(ours?.length).toBeGreaterThan(30);
}
