/**
 * A member whose clients must show a certificate: who gets in with etcd's clients, curl and grpc-js,
 * who does not, and that certificates and revocations are taken over while it runs.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { cleanEnv, ServerProcess } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { Authority, type CertificateFiles } from "../support/certificates.js";
import { etcdctlPath, isMissing, serverCommand } from "../support/server-kind.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-client-tls-"));
const authority = new Authority(join(folder, "pki"));
const stranger = new Authority(join(folder, "strangers"), "strangers");
const client = authority.issue("client", { commonName: "root", hosts: [] });
const [certFile, keyFile, crlFile] = ["now.crt", "now.key", "crl.pem"].map((name) =>
  join(folder, name),
) as [string, string, string];
let server: ServerProcess;
let endpoint = "";
let port = 0;

function show({ cert, key }: CertificateFiles): void {
  copyFileSync(cert, certFile);
  copyFileSync(key, keyFile);
}

beforeAll(async () => {
  show(authority.issue("server"));
  authority.revoke(crlFile);
  const [clientPort, peerPort] = (await freePorts("127.0.0.1", 2)) as [number, number];
  port = clientPort;
  endpoint = `https://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const { command, args } = serverCommand("lockstep");
  server = new ServerProcess({
    command,
    args: [...args, ...`--listen-peer-urls=${peerUrl}`.split(" ")].concat([
      "--name=a",
      `--data-dir=${join(folder, "data")}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=a=${peerUrl}`,
      `--listen-client-urls=${endpoint},unixs://${join(folder, "client.sock")}`,
      `--advertise-client-urls=${endpoint}`,
      ...["--client-cert-auth", `--client-crl-file=${crlFile}`],
    ]),
    // As Debian's unit and containers give them.
    env: {
      ETCD_CERT_FILE: certFile,
      ETCD_KEY_FILE: keyFile,
      ETCD_TRUSTED_CA_FILE: authority.caFile,
    },
    logFile: join(folder, "a.log"),
  });
  await server.waitForLine(/ready to serve client requests/, 20_000);
}, 30_000);
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Its lines come through a pipe. */
const logged = (text: RegExp): Promise<void> =>
  vi.waitFor(() => expect(server.log()).toMatch(text), { timeout: 10_000 });

/** What the server answers to GET /version in one connection; "" when it closes instead. */
function version(files: CertificateFiles | undefined, more: ConnectionOptions = {}) {
  const own =
    files === undefined ? {} : { cert: readFileSync(files.cert), key: readFileSync(files.key) };
  const ca = readFileSync(authority.caFile);
  return new Promise<{ answer: string; subject: string }>((resolve) => {
    const socket = connectTls({ host: "127.0.0.1", port, ca, ...own, ...more });
    let answer = "";
    let subject = "";
    socket.on("secureConnect", () => {
      subject = String(socket.getPeerCertificate().subject.CN);
      socket.write("GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    });
    socket.on("data", (data) => {
      answer += data.toString();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve({ answer, subject }));
  });
}

test("the log says that traffic is secure", async () => {
  await logged(/"serving client traffic securely","traffic":"grpc\+http"/);
  expect(server.log()).not.toContain("insecurely");
});

describe("refused, with the reason in the log", () => {
  const ca = (): ConnectionOptions => ({});
  test.each<[string, () => CertificateFiles | undefined, () => ConnectionOptions, RegExp]>([
    ["no certificate", () => undefined, ca, /gave no certificate/],
    [
      "of another authority",
      () => stranger.issue("client"),
      ca,
      /was not signed by one of the trusted/,
    ],
    [
      "self-made",
      () => stranger.issue("root", { issuer: undefined as never }),
      ca,
      /trusted authorities/,
    ],
    [
      "expired",
      () => authority.issue("old", { toMs: Date.now() - 1_000 }),
      ca,
      /CN=old.* has expired/,
    ],
    [
      "not for clients",
      () => authority.issue("web", { usages: ["serverAuth"] }),
      ca,
      /not made for clients/,
    ],
    [
      "an old version of TLS",
      () => client,
      () => ({ maxVersion: "TLSv1.1", minVersion: "TLSv1" }),
      /no version of TLS that is allowed/,
    ],
  ])("%s", async (_name, files, more, text) => {
    expect((await version(files(), more())).answer).toBe("");
    await logged(text);
    expect((await version(client)).answer).toContain("etcdserver");
  });

  test("plain HTTP, silence and half a handshake harm nobody else", async () => {
    const plain = connectTcp(port, "127.0.0.1", () => plain.write("GET / HTTP/1.1\r\n\r\n"));
    const silent = connectTcp(port, "127.0.0.1");
    const half = connectTcp(port, "127.0.0.1", () =>
      half.write(Buffer.from("160301020001", "hex")),
    );
    plain.on("error", () => {});
    await new Promise((resolve) => plain.once("close", resolve));
    await logged(/rejected connection on client endpoint.*the client speaks plain HTTP/);
    expect((await version(client)).answer).toContain("etcdserver");
    for (const socket of [silent, half]) socket.destroy();
  });
});

test("a new certificate and a revocation hold from the next connection on", async () => {
  const guest = authority.issue("guest");
  expect((await version(guest)).subject).toBe("server");
  show(authority.issue("renewed"));
  authority.revoke(crlFile, new X509Certificate(readFileSync(guest.cert)));
  expect((await version(client)).subject).toBe("renewed");
  expect((await version(guest)).answer).toBe("");
  await logged(/serial [0-9A-F]+ \(CN=guest\) is revoked/);
  // A file that cannot be used changes nothing.
  copyFileSync(client.key, keyFile);
  expect((await version(client)).subject).toBe("renewed");
  await logged(/cannot use the changed certificates/);
});

const files = ["--cacert", authority.caFile, "--cert", client.cert, "--key", client.key];

describe("clients of others", () => {
  const curl = (...more: string[]): string =>
    spawnSync("curl", ["-s", "-m", "10", ...files, "-w", " %{http_version}", ...more], {
      encoding: "utf8",
    }).stdout;
  test("curl: HTTP/2 by ALPN, HTTP/1.1, a Unix socket with TLS", () => {
    expect(curl(`${endpoint}/version`)).toMatch(/etcdserver.* 2$/);
    expect(curl("--http1.1", `${endpoint}/version`)).toMatch(/etcdserver.* 1\.1$/);
    const socket = ["--unix-socket", join(folder, "client.sock")];
    expect(curl(...socket, "https://localhost/version")).toMatch(/etcdserver.* 2$/);
  });

  test.skipIf(isMissing("etcd34", "etcd35"))("etcdctl 3.4 and 3.5", () => {
    for (const command of ["/usr/bin/etcdctl", etcdctlPath()]) {
      const options = { encoding: "utf8", env: cleanEnv({ ETCDCTL_API: "3" }) } as const;
      const call = (...words: string[]): string =>
        execFileSync(command, ["--endpoints", endpoint, ...files, ...words], options);
      expect(call("put", "k", command)).toBe("OK\n");
      expect(call("get", "k")).toBe(`k\n${command}\n`);
      expect(call("endpoint", "status")).toContain(`${endpoint}, `);
    }
  });
});
