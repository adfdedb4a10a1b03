/**
 * What `lockstep ctl` does besides printing an answer: refusals, time limits, commands that it runs
 * for events, and calls that outlive their endpoint.
 */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ServerProcess } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { Cluster } from "../support/cluster.js";
import { isMissing, projectRoot } from "../support/server-kind.js";

const waitMs = 20_000;

describe.skipIf(isMissing("lockstep"))("lockstep ctl", () => {
  let cluster: Cluster;
  const running: ServerProcess[] = [];
  let calls = 0;
  beforeAll(async () => {
    cluster = await Cluster.start({ kind: "lockstep", size: 1 });
  }, 60_000);
  afterEach(async () => {
    for (const process of running.splice(0)) await process.kill();
  });
  afterAll(() => cluster?.dispose());

  function ctl(endpoint: string, ...words: readonly string[]): ServerProcess {
    const started = new ServerProcess({
      command: process.execPath,
      args: [join(projectRoot, "bin/lockstep"), "ctl", `--endpoints=${endpoint}`, ...words],
      logFile: join(cluster.folder, `ctl-${++calls}.log`),
    });
    running.push(started);
    return started;
  }
  /** A put that waits until the store is there. */
  async function put(key: string, value: string): Promise<void> {
    const { client } = await cluster.leader();
    await client.put({ key: Buffer.from(key), value: Buffer.from(value) });
  }

  test("an https endpoint is not spoken to in plain text, and plain text is not taken for TLS", async () => {
    const { endpoint } = cluster.first;
    const call = ctl(`https://${endpoint}`, "get", "a", "--dial-timeout=500ms");
    expect((await call.exited).code).toBe(1);
    expect(call.log()).toMatch(/Error: .*does not speak TLS: then write http:/);
    const both = ctl(`http://${endpoint}`, "get", "a", "--insecure-skip-tls-verify");
    expect((await both.exited).code).toBe(128);
    expect(both.log()).toContain("would be plain text: write https://");
  });

  test("an unknown command and a file that cannot be written are named", async () => {
    const { endpoint } = cluster.first;
    const command = join(projectRoot, "bin/lockstep");
    const words = [command, "ctl", "--endpoints", endpoint, "foo"];
    const logFile = join(cluster.folder, "foo.log");
    const foo = new ServerProcess({ command: process.execPath, args: words, logFile });
    running.push(foo);
    expect((await foo.exited).code).toBe(1);
    expect(foo.log()).toContain('Error: unknown command "foo"');
    const save = ctl(endpoint, "snapshot", "save", "/nowhere/x");
    expect((await save.exited).code).toBe(128);
    expect(save.log()).toMatch(/Error: could not open \/nowhere\/x\.part \(ENOENT/);
    expect(save.log()).not.toContain("at Object.openSync");
  });

  test("--dial-timeout ends the wait for a connection, however long the command may take", async () => {
    const [nobody] = await freePorts("127.0.0.1", 1);
    const words = ["get", "a", "--command-timeout=1h", "--dial-timeout=100ms"];
    const call = ctl(`127.0.0.1:${nobody}`, ...words);
    expect((await call.exited).code).toBe(1);
    expect(call.log()).toMatch(/Error: context deadline exceeded: 127.0.0.1:\d+: .*ECONNREFUSED/);
  });

  test("--dial-timeout that is no duration is refused", async () => {
    const call = ctl(cluster.first.endpoint, "get", "a", "--dial-timeout=soon");
    expect((await call.exited).code).toBe(1);
    expect(call.log()).toContain('Error: invalid argument "soon" for "--dial-timeout" flag');
  });

  test("watch runs the command behind -- for each event, which finds it in its environment", async () => {
    const script =
      'printf "%s\\n" "<$ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE>"; test "$ETCD_WATCH_KEY" != \'"run/2"\'';
    const { client } = await cluster.leader();
    const { header } = await client.put({ key: Buffer.from("run/1"), value: Buffer.from("x y") });
    await put("run/2", "end");
    const words = ["run/", "--prefix", `--rev=${header?.revision}`, "--", "sh", "-c", script];
    const call = ctl(cluster.first.endpoint, "watch", ...words);
    expect((await call.exited).code).toBe(1);
    expect(call.log()).toContain('<"PUT" "run/1" "x y">');
    expect(call.log()).toMatch(/Error: command \["sh","-c",.*\] error \(exit status 1\)/);
  });

  test("a watch and a keep-alive go on when their member comes back, without a gap", async () => {
    const { client } = await cluster.leader();
    const { ID } = await client.leaseGrant({ TTL: 3n });
    const lease = ctl(cluster.first.endpoint, "lease", "keep-alive", ID.toString(16));
    await lease.waitForLine(/keepalived with TTL\(3\)/, waitMs);
    await put("gap", "one");
    const revision = (await client.range({ key: Buffer.from("gap") })).header?.revision;
    const watch = ctl(cluster.first.endpoint, "watch", "gap", `--rev=${revision}`);
    await watch.waitForLine(/^one$/, waitMs);
    await cluster.first.kill();
    const renewed = lease.waitForLine(/keepalived with TTL\(3\)/, waitMs);
    const seen = watch.waitForLine(/^two$/, waitMs);
    await cluster.first.start();
    await put("gap", "two");
    await Promise.all([seen, renewed]);
    expect(watch.log().match(/^(one|two)$/gm)).toEqual(["one", "two"]);
  });
});
