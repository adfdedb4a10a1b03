/**
 * With --client-cert-auth the common name of a client's certificate is its user, unless it brings a
 * token; tokens are JWT here. etcdctl is the client.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cleanEnv, ServerProcess } from "../../../src/cli/stage/server-process.js";
import { freePorts } from "../../../src/platform/node/free-ports.js";
import { Authority, type CertificateFiles } from "../../support/certificates.js";
import { etcdctlPath, isMissing, serverCommand } from "../../support/server-kind.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-certificate-user-"));
const authority = new Authority(join(folder, "pki"));
const certificates = new Map(["root", "u", "nobody"].map((name) => [name, authority.issue(name)]));
let server: ServerProcess;
let endpoint = "";

beforeAll(async () => {
  const own = authority.issue("server");
  const secret = join(folder, "secret");
  writeFileSync(secret, "0123456789".repeat(8), { mode: 0o600 });
  const [clientPort, peerPort] = (await freePorts("127.0.0.1", 2)) as [number, number];
  endpoint = `https://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const { command, args } = serverCommand("lockstep");
  server = new ServerProcess({
    command,
    args: [
      ...args,
      ...["--name=a", `--data-dir=${join(folder, "data")}`, `--listen-peer-urls=${peerUrl}`],
      ...[`--initial-advertise-peer-urls=${peerUrl}`, `--initial-cluster=a=${peerUrl}`],
      ...[`--listen-client-urls=${endpoint}`, `--advertise-client-urls=${endpoint}`],
      ...[`--cert-file=${own.cert}`, `--key-file=${own.key}`, "--client-cert-auth"],
      ...[`--trusted-ca-file=${authority.caFile}`, "--bcrypt-cost=4"],
      `--auth-token=jwt,sign-method=HS256,priv-key=${secret},ttl=10m`,
    ],
    logFile: join(folder, "a.log"),
    env: {},
  });
  await server.waitForLine(/ready to serve client requests/, 20_000);
}, 30_000);
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What etcdctl prints, with the certificate of that name. */
function etcdctl(name: string, words: string): string {
  const { cert, key } = certificates.get(name) as CertificateFiles;
  const tls = [`--cacert=${authority.caFile}`, `--cert=${cert}`, `--key=${key}`];
  const end = spawnSync(etcdctlPath(), [`--endpoints=${endpoint}`, ...tls, ...words.split(" ")], {
    encoding: "utf8",
    env: cleanEnv({ ETCDCTL_API: "3" }),
  });
  return (end.stdout + end.stderr.replace(/^\{"level":.*\n/gm, "")).trim();
}

test.skipIf(isMissing("etcd35"))(
  "common names and tokens",
  () => {
    etcdctl("root", "user add root --no-password");
    etcdctl("root", "user add u:pw");
    etcdctl("root", "role add r");
    etcdctl("root", "role grant-permission r readwrite a");
    etcdctl("root", "user grant-role u r");
    expect(etcdctl("nobody", "auth enable")).toBe("Authentication Enabled");
    expect(etcdctl("root", "put b 1")).toBe("OK");
    expect(etcdctl("u", "put a 1")).toBe("OK");
    expect(etcdctl("u", "put b 1")).toBe("Error: etcdserver: permission denied");
    expect(etcdctl("nobody", "get a")).toBe("Error: etcdserver: permission denied");
    expect(etcdctl("nobody", "get a --user u:pw")).toBe("a\n1");
    // The token counts, not the certificate.
    expect(etcdctl("root", "get b --user u:pw")).toBe("Error: etcdserver: permission denied");
    expect(etcdctl("root", "user delete u")).toBe("User u deleted");
    expect(etcdctl("u", "get a")).toBe("Error: etcdserver: permission denied");
  },
  30_000,
);
