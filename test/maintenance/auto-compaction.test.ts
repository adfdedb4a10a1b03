/** Automatic compaction on real members: what etcd refuses is refused, and the log carries it to all. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { bytes } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import {
  isMissing,
  projectRoot,
  type ServerKind,
  serverCommand,
  subject,
} from "../support/server-kind.js";

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.dispose();
  cluster = undefined;
});

test("three members lose what is older than the retention, and keep the rest", async () => {
  const flags = ["--auto-compaction-mode=periodic", "--auto-compaction-retention=1s"];
  cluster = await Cluster.start({ kind: subject, size: 3, flags });
  const { client } = cluster.first;
  const first = await client.put({ key: bytes("k"), value: bytes("1") });
  const revision = first.header?.revision as bigint;
  await client.put({ key: bytes("k"), value: bytes("2") });
  for (const member of cluster.members) {
    const read = () =>
      member.client.range({ key: bytes("k"), revision, serializable: true }).then(
        () => "answered",
        (error: { details?: string }) => error.details,
      );
    const compacted = "etcdserver: mvcc: required revision has been compacted";
    await expect.poll(read, { timeout: 15_000, interval: 200 }).toBe(compacted);
    const newest = await member.client.range({ key: bytes("k") });
    expect(String(newest.kvs[0]?.value)).toBe("2");
  }
  const page = await fetch(`http://${(await cluster.leader()).endpoint}/metrics`);
  expect(await page.text()).toMatch(/^lockstep_auto_compaction_last_revision [1-9]\d*$/m);
  if (subject !== "lockstep") return;
  const words = ["ctl", `--endpoints=${cluster.endpoints.join(",")}`, "endpoint", "compaction"];
  const told = spawnSync(process.execPath, [join(projectRoot, "bin/lockstep"), ...words]);
  const lines = String(told.stdout).trim().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines.filter((line) => /, leader, [1-9]\d*, [1-9]\d*, \d+s$/.test(line))).toHaveLength(1);
}, 40_000);

describe.each<ServerKind>(["lockstep", "etcd35"])("%s", (kind) => {
  test.skipIf(isMissing(kind)).each([
    ["periodic", "0.5"],
    ["periodic", "1d"],
    ["periodic", "some"],
    ["monthly", "1"],
  ])("refuses mode %s with retention %s", (mode, retention) => {
    const folder = mkdtempSync(join(tmpdir(), "lockstep-test-"));
    const { command, args } = serverCommand(kind);
    const words = [
      ...args,
      ...["--data-dir", join(folder, "data")],
      ...["--auto-compaction-mode", mode, "--auto-compaction-retention", retention],
    ];
    const { status } = spawnSync(command, words, { timeout: 10_000, cwd: folder });
    rmSync(folder, { recursive: true, force: true });
    expect(status).toBeGreaterThan(0);
  });
});
