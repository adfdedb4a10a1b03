/**
 * `lockstep torture --endpoints` on a cluster with mutual TLS and passwords: a user who has only the
 * run's own prefix is enough, and who may not enter is told why before anything is written.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authClientMethods } from "../../src/cli/ctl/auth/methods.js";
import { CtlClient } from "../../src/cli/ctl/client.js";
import { ServerProcess } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { end, first } from "../../src/torture/traffic/draw-request.js";
import { Authority } from "../support/certificates.js";
import { isMissing, serverCommand, subject } from "../support/server-kind.js";
import { lockstepIn, type Ran } from "./command.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-torture-tls-"));
const authority = new Authority(join(folder, "pki"));
const [own, client] = [authority.issue("member"), authority.issue("client")];
const tls = [`--cacert=${authority.caFile}`, `--cert=${client.cert}`, `--key=${client.key}`];
let server: ServerProcess;
let endpoint: string;

afterAll(async () => {
  await server.kill();
  rmSync(folder, { recursive: true, force: true });
});

const lockstep = (...words: readonly string[]): Promise<Ran> => lockstepIn(folder, ...words);

/** root, u with the right to the run's keys, reader with the right to read them; auth is on. */
async function addUsers(): Promise<void> {
  const [ca, cert, key] = [authority.caFile, client.cert, client.key].map((file) =>
    readFileSync(file),
  ) as [Buffer, Buffer, Buffer];
  const files = { ca, cert, key, isUnverified: false };
  const timeouts = { dialMs: 10_000, commandMs: 10_000 };
  const admin = new CtlClient([endpoint], timeouts, { tls: files });
  const [READ, READWRITE] = [0, 2];
  const users = [
    ["u", "torture", READWRITE],
    ["reader", "reads", READ],
  ] as const;
  const auth = authClientMethods;
  await admin.call(auth.userAdd, { name: "root", password: "pw" });
  await admin.call(auth.roleAdd, { name: "root" }).catch(() => undefined);
  await admin.call(auth.userGrantRole, { user: "root", role: "root" });
  for (const [name, role, permType] of users) {
    await admin.call(auth.userAdd, { name, password: `${name}pw` });
    await admin.call(auth.roleAdd, { name: role });
    const perm = { permType, key: Buffer.from(first), range_end: Buffer.from(end) };
    await admin.call(auth.roleGrant, { name: role, perm });
    await admin.call(auth.userGrantRole, { user: name, role });
  }
  await admin.call(auth.enable, {});
  admin.close();
}

function torture(name: string, ...words: readonly string[]): Promise<Ran> {
  const report = ["--report", join(folder, name), "--duration", "1s", "--seed", "6"];
  return lockstep("torture", "--endpoints", endpoint, ...words, ...report);
}

describe.skipIf(isMissing(subject))("lockstep torture --endpoints with TLS and passwords", () => {
  beforeAll(async () => {
    const [port, peer] = await freePorts("127.0.0.1", 2);
    endpoint = `https://127.0.0.1:${port}`;
    const { command, args } = serverCommand(subject);
    const flags = [
      ...["--name=m1", `--data-dir=${join(folder, "m1")}`, "--bcrypt-cost=4"],
      ...[`--listen-client-urls=${endpoint}`, `--advertise-client-urls=${endpoint}`],
      ...[`--listen-peer-urls=http://127.0.0.1:${peer}`, "--client-cert-auth=true"],
      ...[`--initial-advertise-peer-urls=http://127.0.0.1:${peer}`],
      ...[`--initial-cluster=m1=http://127.0.0.1:${peer}`, `--cert-file=${own.cert}`],
      ...[`--key-file=${own.key}`, `--trusted-ca-file=${authority.caFile}`],
    ];
    const logFile = join(folder, "m1.log");
    server = new ServerProcess({ command, args: [...args, ...flags], logFile });
    await server.waitForLine(/ready to serve client requests|serving client traffic/, 60_000);
    await addUsers();
  }, 120_000);

  test("a user of the own prefix: clean, and nothing is left", async () => {
    const ran = await torture("clean", ...tls, "--user", "u:upw", "--profile", "mixed");
    expect(ran, ran.error).toMatchObject({ code: 0 });
    expect(ran.out).toMatch(/^CLEAN: every promise held in \d{2,} operations and 1 watches$/m);
    const words = [...tls, "--user=root:pw", "get", "", "--prefix", "--keys-only"];
    const left = await lockstep("ctl", "--endpoints", endpoint, ...words);
    expect(left, left.error).toMatchObject({ code: 0, out: "" });
  }, 60_000);

  test("who may not enter, or not write, is told why", async () => {
    const wrong = [
      torture("no-tls"),
      torture("no-user", ...tls),
      torture("password", ...tls, "--user", "u", "--password", "other"),
      torture("reader", ...tls, "--user", "reader:readerpw"),
    ];
    const ran = await Promise.all(wrong);
    expect(ran.map(({ code }) => code)).toEqual([2, 2, 2, 2]);
    expect(ran.map(({ error }) => error)).toEqual([
      expect.stringMatching(/--cacert must name the authority/),
      // The common name of the certificate is no user that may read there.
      expect.stringMatching(/permission denied/),
      expect.stringMatching(/cannot log in: etcdserver: authentication failed, invalid user ID/),
      expect.stringMatching(/permission denied/),
    ]);
  }, 60_000);
});
