/**
 * `lockstep audit` against real clusters: clean ones of three kinds, and two ways in which stock
 * etcd loses agreement without noticing.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { complete } from "../../src/cli/ctl/method.js";
import { PutRequest, RangeRequest, type RequestOp } from "../../src/wire/gen/rpc.js";
import { bytes, isServiceError } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { etcdctlPath, isMissing, type ServerKind } from "../support/server-kind.js";
import { AuditRun, auditJson, auditOnce, run } from "./audit-run.js";

let cluster: Cluster | undefined;
let watching: AuditRun | undefined;
afterEach(async () => {
  await watching?.end();
  watching = undefined;
  await cluster?.dispose();
});

async function start(kind: ServerKind): Promise<Cluster> {
  cluster = await Cluster.start({ kind, size: 3 });
  await cluster.leader();
  return cluster;
}

async function putTwenty({ first }: Cluster): Promise<bigint> {
  let revision = 0n;
  for (let put = 0; put < 20; put++) {
    const { header } = await first.client.put({ key: bytes("a"), value: bytes(`value ${put}`) });
    revision = header?.revision ?? 0n;
  }
  return revision;
}

/** Writes from all members, with compactions, until it is told to end. */
function writeAll(of: Cluster): () => Promise<unknown> {
  let isOn = true;
  const writing = of.members.map(async ({ client }, at) => {
    for (let put = 1; isOn; put++) {
      const { header } = await client.put({ key: bytes(`${at}/${put % 50}`), value: bytes("v") });
      if (at === 0 && put % 100 === 0) await client.compact({ revision: header?.revision ?? 0n });
    }
  });
  return () => {
    isOn = false;
    return Promise.all(writing);
  };
}

describe.each(["lockstep", "etcd34", "etcd35"] as const)("a clean cluster of %s", (kind) => {
  test.skipIf(isMissing(kind, "lockstep"))("passes, also while it is written to", async () => {
    const of = await start(kind);
    // Nothing is left but the newest revision, for which older etcd must be asked differently.
    await of.first.client.compact({ revision: await putTwenty(of) });
    const first = await auditJson(of.endpoints);
    expect(first.document).toMatchObject({
      verdict: "clean",
      findings: [],
      agreed: { revision: 21 },
    });
    expect(first).toMatchObject({ status: 0, stderr: "" });
    const second = await auditJson(of.endpoints);
    expect(second.indexes, "asking writes nothing to the log").toEqual(first.indexes);

    const stopWriting = writeAll(of);
    try {
      const busy = await auditJson(of.endpoints);
      expect(busy.document.findings.filter((each) => each.kind !== "lag")).toEqual([]);
      expect(busy).toMatchObject({ status: 0, stderr: "" });
      expect(busy.document.agreed?.revision).toBeGreaterThan(21);
    } finally {
      await stopWriting();
    }
  });
});

/** Etcd issue 18667: the asked member refuses the whole transaction, the others leave out its read. */
async function divergeByTransaction(of: Cluster, asked: ClusterMember): Promise<void> {
  const revision = await putTwenty(of);
  await of.first.client.compact({ revision });
  const put = complete(PutRequest, { key: bytes("b"), value: bytes("1") });
  const read = complete(RangeRequest, { key: bytes("a"), revision: revision - 1n });
  const success: RequestOp[] = [
    { request: { $case: "request_put", value: put } },
    { request: { $case: "request_range", value: read } },
  ];
  const failure = await asked.client.txn({ success }).catch((error: unknown) => error);
  expect(isServiceError(failure)).toBe(true);
}

describe.each(["etcd34", "etcd35"] as const)("stock %s", (kind) => {
  const skip = isMissing(kind, "lockstep");
  test.skipIf(skip)("a transaction that one member refuses is told as divergence", async () => {
    const of = await start(kind);
    const asked = of.members[1] as ClusterMember;
    await divergeByTransaction(of, asked);
    const { status, document, kinds } = await auditJson(of.endpoints);
    expect(status).toBe(1);
    expect(document.verdict).toBe("divergence");
    expect(kinds).toContain("revision");
    const finding = document.findings.find((each) => each.kind === "revision");
    expect(finding?.suspects).toEqual([asked.endpoint]);
    expect(finding?.text).toContain(`revision 21 at ${asked.endpoint}`);
    expect(finding?.text).toMatch(/revision 22 at \S+, \S+;/);

    // Without --once it ends by itself, at the first divergence.
    const watched = await run([`--endpoints=${of.endpoints}`, "--interval=100ms"]);
    expect(watched.status).toBe(1);
    expect(watched.stdout).toContain("DIVERGENCE");

    // After further writes the histories differ, too, and while they go on.
    const stopWriting = writeAll(of);
    const busy = await auditJson(of.endpoints).finally(stopWriting);
    expect(busy.status).toBe(1);
    await putTwenty(of);
    const later = await auditJson(of.endpoints);
    expect(later.status).toBe(1);
    expect(later.kinds).toEqual(expect.arrayContaining(["revision", "hash"]));
    for (const each of later.document.findings) expect(each.suspects).toEqual([asked.endpoint]);
  });

  // The file's format is one in both: once is enough.
  test.skipIf(skip || kind === "etcd34")("a flipped byte in a file is told", async () => {
    const of = await start(kind);
    await of.first.client.put({ key: bytes("a"), value: bytes("a needle in a haystack") });
    await putTwenty(of);
    const harmed = of.members[2] as ClusterMember;
    await harmed.stop();
    const file = join(harmed.dataDir, "member/snap/db");
    const image = readFileSync(file);
    let at = image.indexOf("needle");
    expect(at).toBeGreaterThan(0);
    for (; at >= 0; at = image.indexOf("needle")) image[at] = (image[at] ?? 0) ^ 1;
    writeFileSync(file, image);
    const away = await auditJson(of.endpoints);
    expect(away).toMatchObject({ status: 2, kinds: ["unreachable"] });
    expect(away.stderr).toContain(`${harmed.endpoint} cannot be asked`);
    await harmed.start();

    const { status, document, kinds } = await auditJson(of.endpoints);
    expect({ status, kinds }).toEqual({ status: 1, kinds: ["hash"] });
    expect(document.findings[0]?.suspects).toEqual([harmed.endpoint]);
    const two = await auditJson([harmed.endpoint, of.first.endpoint]);
    expect(two).toMatchObject({ status: 1, kinds: ["hash", "unasked"] });
    expect(two.document.findings[0]?.suspects).toEqual([]);
    const text = await auditOnce([of.first.endpoint], "--cluster");
    expect(text.status).toBe(1);
    expect(text.stdout).toMatch(/^hash: HashKV differs at revision 22 \(compact revision -?\d+\)/m);
    expect(text.stdout).toContain(`the majority contradicts http://${harmed.endpoint}`);
    const metrics = await auditOnce(of.endpoints, "-w=prometheus");
    expect(metrics.stdout).toContain('lockstep_audit_verdict{verdict="divergence"} 1');
    expect(metrics.stdout).toContain(
      `lockstep_audit_member_suspect{endpoint="${harmed.endpoint}",member="m3"} 1`,
    );
  });
});

test.skipIf(isMissing("etcd35", "lockstep"))("with users it needs root, or says so", async () => {
  const of = await start("etcd35");
  await putTwenty(of);
  const ctl = (...words: readonly string[]) =>
    run([`--endpoints=${of.first.endpoint}`, ...words], etcdctlPath());
  for (const words of [
    ["user", "add", "root:secret"],
    ["user", "grant-role", "root", "root"],
    ["auth", "enable"],
  ]) {
    expect(await ctl(...words)).toMatchObject({ status: 0 });
  }
  const nobody = await auditJson(of.endpoints);
  expect(nobody).toMatchObject({ status: 2, kinds: ["uncompared"] });
  expect(nobody.stderr).toContain("HashKV is not allowed");
  const wrong = await auditJson(of.endpoints, "--user=root:wrong");
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toContain("authentication failed");
  expect(await auditJson(of.endpoints, "--user=root:secret")).toMatchObject({
    status: 0,
    kinds: [],
  });
});

test.skipIf(isMissing("etcd35", "lockstep"))("members with TLS", async () => {
  cluster = new Cluster({ kind: "etcd35" });
  const member = await cluster.plan();
  const url = `https://${member.endpoint}`;
  await member.start([
    "--auto-tls",
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
  ]);
  const certificate = join(member.dataDir, "fixtures/client/cert.pem");
  // A member alone has nothing to be compared with; that it was asked is what counts here.
  expect((await auditJson([url], `--cacert=${certificate}`)).kinds).toEqual(["alone"]);
  const unverified = await auditJson([member.endpoint], "--insecure-skip-tls-verify");
  expect(unverified.kinds).toEqual(["alone"]);
  const distrusted = await auditJson([url], "--dial-timeout=1s");
  expect(distrusted).toMatchObject({ status: 2, kinds: ["unreachable"] });
  expect(distrusted.stderr).toContain("certificate");
});

test.skipIf(isMissing("lockstep"))(
  "watching, it serves metrics, and ends when told to",
  async () => {
    const of = await start("lockstep");
    await putTwenty(of);
    const words = [`--endpoints=${of.endpoints}`, "--interval=100ms", "-w=json"];
    watching = new AuditRun([...words, "--listen=127.0.0.1:0"]);
    const url = await watching.line(/metrics at (\S+)/, "stderr");
    await watching.line(/"round":2,"verdict":"clean"/, "stdout");
    const metrics = await (await fetch(url)).text();
    expect(metrics).toContain('lockstep_audit_verdict{verdict="clean"} 1');
    expect(metrics).toContain("lockstep_audit_member_revision{endpoint=");
    expect(await watching.end()).toBe(0);
  },
);

test.skipIf(isMissing("lockstep"))("wrong usage and what it cannot tell end with 2", async () => {
  for (const [words, text] of [
    [["--nonsense"], "unknown flag: --nonsense"],
    [["-w", "xml"], 'unsupported output format "xml"'],
    [["--user=root"], "--user NAME:PASSWORD"],
    [["--cacert=no/such/file"], "ENOENT"],
    [["--once", "--interval=5"], "missing unit"],
  ] as const) {
    const { status, stdout, stderr } = await run(words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(text);
  }
  cluster = await Cluster.start({ kind: "lockstep" });
  const alone = await auditJson(cluster.endpoints);
  expect(alone).toMatchObject({ status: 2, kinds: ["alone"] });
});
