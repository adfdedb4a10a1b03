/** The commands of `lockstep ctl` that work for longer: mirrors, locks, elections, check perf, help. */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ServerProcess } from "../../src/cli/stage/server-process.js";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing, projectRoot } from "../support/server-kind.js";

const waitMs = 20_000;

describe.skipIf(isMissing("lockstep"))("lockstep ctl", () => {
  let source: ClusterMember;
  let target: ClusterMember;
  const clusters: Cluster[] = [];
  const running: ServerProcess[] = [];
  beforeAll(async () => {
    const started = [0, 1].map(() => Cluster.start({ kind: "lockstep", size: 1 }));
    clusters.push(...(await Promise.all(started)));
    [source, target] = clusters.map(({ first }) => first) as [ClusterMember, ClusterMember];
  }, 60_000);
  afterEach(async () => {
    for (const process of running.splice(0)) await process.kill();
  });
  afterAll(async () => {
    for (const cluster of clusters) await cluster.dispose();
  });

  let calls = 0;
  function ctl(...words: readonly string[]): ServerProcess {
    const started = new ServerProcess({
      command: process.execPath,
      args: [join(projectRoot, "bin/lockstep"), "ctl", `--endpoints=${source.endpoint}`, ...words],
      logFile: join(clusters[0]?.folder ?? "", `tools-${++calls}.log`),
    });
    running.push(started);
    return started;
  }

  async function mirrored(): Promise<Record<string, string>> {
    const all = { key: bytes("\0"), range_end: bytes("\0") };
    const { kvs } = await target.client.range(all);
    return Object.fromEntries(kvs.map(({ key, value }) => [`${key}`, `${value}`]));
  }

  test("make-mirror copies what is there under another prefix, then follows", async () => {
    const put = (key: string, value: string): Promise<unknown> =>
      source.client.put({ key: bytes(key), value: bytes(value) });
    await put("a/old", "1");
    await put("b/other", "2");
    const mirror = ctl("make-mirror", "--prefix=a/", "--dest-prefix=copy/", target.endpoint);
    await expect.poll(mirrored, { timeout: waitMs }).toEqual({ "copy/old": "1" });
    await put("a/new", "3");
    await put("b/other", "4");
    await source.client.deleteRange({ key: bytes("a/old") });
    await expect.poll(mirrored, { timeout: waitMs }).toEqual({ "copy/new": "3" });
    expect(mirror.isRunning).toBe(true);
    await mirror.kill();
    expect((await ctl("make-mirror").exited).code).toBe(128);
  });

  test("lock runs a command while nobody else has the lock", async () => {
    const first = ctl("lock", "gate");
    await first.waitForLine(/^gate\/[0-9a-f]+/m, waitMs);
    const second = ctl("lock", "gate", "--", "sh", "-c", 'echo "key=$ETCD_LOCK_KEY"; exit 7');
    await expect
      .poll(
        async () =>
          (await source.client.range({ key: bytes("gate/"), range_end: bytes("gate0") })).count,
        { timeout: waitMs },
      )
      .toBe(2n);
    expect(second.log()).not.toMatch(/^key=/m);
    await first.stop();
    expect((await second.exited).code).toBe(7);
    expect(second.log()).toMatch(/^key=gate\/[0-9a-f]+$/m);
  });

  test("elect tells who leads, and gives up at the end", async () => {
    const first = ctl("elect", "chair", "one");
    await first.waitForLine(/^one$/m, waitMs);
    const watcher = ctl("elect", "chair", "-l");
    await watcher.waitForLine(/^one$/m, waitMs);
    const next = ctl("elect", "chair", "two");
    const told = [next, watcher].map((process) => process.waitForLine(/^two$/m, waitMs));
    await first.stop();
    await Promise.all(told);
    expect((await ctl("elect", "chair").exited).code).toBe(128);
  });

  test("check perf judges, and leaves no key", async () => {
    const check = ctl("check", "perf", "--load=s", "--duration=1s", "--auto-compact");
    await check.exited;
    expect(check.log()).toMatch(/(PASS|FAIL): Throughput .* writes\/s\n/);
    expect(check.log()).toMatch(/(PASS|FAIL): Slowest request took/);
    const range = { key: bytes("/etcdctl-check-perf/"), range_end: bytes("/etcdctl-check-perf0") };
    expect((await source.client.range(range)).count).toBe(0n);
    expect((await ctl("check", "perf", "--load=no").exited).code).toBe(4);
  });

  test("check datascale tells the memory, and leaves no key", async () => {
    const check = ctl("check", "datascale", "--keys=300", "--auto-compact", "--auto-defrag");
    expect((await check.exited).code).toBe(0);
    expect(check.log()).toMatch(
      /^Start data scale check for work load \[300 key-value pairs, 1024 bytes per key-value, 50 concurrent clients\]\.\nPASS: Approximate system memory used : -?\d+\.\d\d MB\.$/m,
    );
    const range = { key: bytes("/etcdctl-check-datascale/"), range_end: bytes("/f") };
    expect((await source.client.range(range)).count).toBe(0n);
    expect((await source.client.status({})).header?.revision).toBeGreaterThan(300n);
    const put = { key: bytes("/etcdctl-check-datascale/mine"), value: bytes("") };
    await source.client.put(put);
    const refused = ctl("check", "datascale", "--keys=300");
    expect((await refused.exited).code).toBe(1);
    expect(refused.log()).toMatch(/has keys\. Delete with/);
    expect((await source.client.range({ key: put.key })).count).toBe(1n);
  });

  test("each command has a help with its flags, and shells get completions", async () => {
    const help = ctl("make-mirror", "--help");
    expect((await help.exited).code).toBe(0);
    expect(help.log()).toMatch(/<destination>/);
    expect(help.log()).toMatch(/--dest-prefix/);
    expect(help.log()).toMatch(/--endpoints/);
    const bash = ctl("completion", "bash");
    expect((await bash.exited).code).toBe(0);
    expect(bash.log()).toMatch(/^make-mirror$/m);
    expect((await ctl("completion", "tcsh").exited).code).toBe(128);
  });
});
