/** Clients that offer only versions of TLS which --tls-min-version forbids. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type SecureVersion } from "node:tls";
import { afterAll, describe, expect, test, vi } from "vitest";
import { ServerProcess } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { Authority } from "../support/certificates.js";
import { serverCommand } from "../support/server-kind.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-tls-versions-"));
const authority = new Authority(join(folder, "pki"));
const { cert, key } = authority.issue("server");
const servers: ServerProcess[] = [];
afterAll(async () => {
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(flags: readonly string[]): Promise<{ server: ServerProcess; port: number }> {
  const [port, peerPort] = (await freePorts("127.0.0.1", 2)) as [number, number];
  const name = `m${port}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const { command, args } = serverCommand("lockstep");
  const own = [`--name=${name}`, `--data-dir=${join(folder, name)}`, ...flags];
  const urls = [
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=${name}=${peerUrl}`,
    `--listen-client-urls=https://127.0.0.1:${port}`,
    `--advertise-client-urls=https://127.0.0.1:${port}`,
  ];
  const files = [`--cert-file=${cert}`, `--key-file=${key}`];
  const logFile = join(folder, `${name}.log`);
  const server = new ServerProcess({
    command,
    ...{ args: [...args, ...own, ...urls, ...files], logFile },
  });
  servers.push(server);
  await server.waitForLine(/ready to serve client requests/, 20_000);
  return { server, port };
}

/** The version on which both sides agree, or the code of the client's error. */
function handshake(port: number, minVersion: SecureVersion, maxVersion: SecureVersion) {
  const ca = readFileSync(authority.caFile);
  return new Promise<string>((resolve) => {
    const socket = connect(
      // OpenSSL offers TLS 1.0 and 1.1 on its lowest level of security only.
      { host: "127.0.0.1", port, ca, minVersion, maxVersion, ciphers: "DEFAULT@SECLEVEL=0" },
      () => {
        resolve(socket.getProtocol() ?? "none");
        socket.destroy();
      },
    );
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

const refused = "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION";
describe.each<[string[], [SecureVersion, SecureVersion][], string]>([
  [
    [],
    [
      ["TLSv1", "TLSv1"],
      ["TLSv1.1", "TLSv1.1"],
      ["TLSv1", "TLSv1.1"],
    ],
    "TLSv1.2",
  ],
  [
    ["--tls-min-version=TLS1.3"],
    [
      ["TLSv1", "TLSv1.1"],
      ["TLSv1.2", "TLSv1.2"],
    ],
    "TLSv1.3",
  ],
])("with %j", (flags, old, lowest) => {
  test("a client below the lowest version gets an alert, and all of them one line in the log", async () => {
    const { server, port } = await start(flags);
    const lines = () => server.log().split("no version of TLS that is allowed here").length - 1;
    for (const [min, max] of old) {
      expect(await handshake(port, min, max), max).toBe(refused);
    }
    await vi.waitFor(() => expect(lines()).toBe(1), { timeout: 10_000 });
    const max = lowest as SecureVersion;
    expect(await handshake(port, "TLSv1", max), "a wide offer meets at the lowest").toBe(lowest);
    expect(lines()).toBe(1);
  }, 60_000);
});
