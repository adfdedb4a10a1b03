/** `lockstep server` as an operator meets it: flags, variables, what it logs, and how it ends. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { cleanEnv } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { Cluster } from "../support/cluster.js";
import { projectRoot } from "../support/server-kind.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-server-"));
let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.dispose();
  cluster = undefined;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [join(projectRoot, "bin/lockstep"), ...words], {
    cwd: folder,
    env: cleanEnv(env),
    encoding: "utf8",
    timeout: 20_000,
  });
}

/** What it logged, without the first line, which the test's support wrote. */
function logLines(log: string): Record<string, unknown>[] {
  const lines = log.split("\n").filter((line) => line !== "" && !line.startsWith("--- "));
  return lines.map((line) => JSON.parse(line));
}

describe("what ends at once", () => {
  test("version prints etcd's four lines and Lockstep's, under each of its names", () => {
    const { status, stdout } = run(["version"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^etcd Version: \d+\.\d+\.\d+\nGit SHA: .+\nGo Version: .+\nGo OS\/Arch: .+\nLockstep Version: \d+\.\d+\.\d+\n$/,
    );
    expect(run(["--version"]).stdout).toBe(stdout);
    expect(run(["server", "--version"]).stdout).toBe(stdout);
  });

  test("help is no error, no command is one", () => {
    expect(run(["help"])).toMatchObject({ status: 0, stderr: "" });
    expect(run(["server", "--help"]).stdout).toContain("--listen-metrics-urls");
    expect(run([])).toMatchObject({ status: 2, stdout: "" });
    expect(run(["serve"]).stderr).toContain('unknown command "serve"');
  });

  test.each([
    [["--nmae=a"], {}, "the nearest known flag is --name"],
    [["--heartbeat-interval=fast"], {}, 'invalid value "fast" for flag -heartbeat-interval'],
    [[], { ETCD_ELECTION_TIMEOUT: "1" }, "--election-timeout[1ms]"],
    [["--config-file=missing.yml"], {}, "cannot read the configuration file"],
    [["--log-outputs=no/such/folder.log"], {}, "cannot open --log-outputs"],
  ])("%j %j is refused with code 2", (words, env, text) => {
    const { status, stdout, stderr } = run(["server", ...words], env);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(text);
  });
});

test("a port in use ends it with code 1 and one line that says so", async () => {
  cluster = await Cluster.start({ kind: "lockstep" });
  const peer = cluster.first.peerUrl;
  const own = [`--initial-advertise-peer-urls=${peer}`, `--initial-cluster=a=${peer}`];
  const words = ["server", "--name=a", "--data-dir=taken", `--listen-peer-urls=${peer}`, ...own];
  const { status, stderr } = run(words);
  expect(status).toBe(1);
  expect(logLines(stderr).at(-1)).toMatchObject({
    level: "fatal",
    error: expect.stringContaining("EADDRINUSE"),
  });
});

test("it logs JSON alone, warns of variables, and serves metrics apart", async () => {
  const [port] = (await freePorts("127.0.0.1", 1)) as [number];
  const copy = join(folder, "copy.log");
  cluster = await Cluster.start({
    kind: "lockstep",
    env: { ETCD_NAME: "shadowed", ETCD_NO_SUCH_FLAG: "1", ETCD_MAX_TXN_OPS: "7" },
    flags: [
      `--listen-metrics-urls=http://127.0.0.1:${port}`,
      `--log-outputs=stdout,${copy}`,
      "--log-level=debug",
    ],
  });
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(await answer.text()).toContain("etcd_server_has_leader 1");
  await cluster.first.stop();
  const lines = logLines(cluster.first.process.log());
  for (const line of lines) {
    expect(Object.keys(line).slice(0, 4)).toEqual(["level", "ts", "caller", "msg"]);
    expect(line["ts"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  }
  const messages = lines.map((line) => line.msg as string);
  const order = [
    "published local member to cluster through raft",
    "ready to serve client requests",
    "serving client traffic insecurely; this is strongly discouraged!",
    "received signal; shutting down",
  ].map((text) => messages.indexOf(text));
  expect(order).not.toContain(-1);
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(lines).toContainEqual(
    expect.objectContaining({ level: "warn", "environment-variable": "ETCD_NO_SUCH_FLAG" }),
  );
  expect(lines).toContainEqual(
    expect.objectContaining({ level: "warn", flag: "name", "environment-value": "shadowed" }),
  );
  expect(logLines(readFileSync(copy, "utf8"))).toEqual(lines);
});

test("with a configuration file, flags and variables do not count", async () => {
  const [client, peer] = (await freePorts("127.0.0.1", 2)) as [number, number];
  const config = {
    name: "filed",
    "data-dir": join(folder, "filed"),
    "listen-client-urls": `http://127.0.0.1:${client}`,
    "advertise-client-urls": `http://127.0.0.1:${client}`,
    "listen-peer-urls": `http://127.0.0.1:${peer}`,
    "initial-advertise-peer-urls": `http://127.0.0.1:${peer}`,
    "initial-cluster": `filed=http://127.0.0.1:${peer}`,
  };
  const file = join(folder, "etcd.yml");
  writeFileSync(file, JSON.stringify(config));
  cluster = new Cluster({ kind: "lockstep", env: { ETCD_LOG_LEVEL: "error" } });
  const member = await cluster.plan();
  await member.start(["--config-file", file]);
  expect((await fetch(`http://127.0.0.1:${client}/health`)).status).toBe(200);
  await expect(fetch(`http://${member.endpoint}/health`)).rejects.toThrow();
});

test("a leader that is told to stop hands over and is gone within 1.5 s", async () => {
  cluster = await Cluster.start({ kind: "lockstep", size: 3 });
  const leader = await cluster.leader();
  const others = cluster.members.filter((member) => member !== leader);
  const began = performance.now();
  const { code } = await leader.stop();
  expect(performance.now() - began).toBeLessThan(1_500);
  expect(code).toBe(0);
  // An election by time-out alone would take a second at least.
  const [other] = others as [(typeof others)[number]];
  const put = performance.now();
  await other.client.put({ key: Buffer.from("a"), value: Buffer.from("b") });
  expect(performance.now() - put).toBeLessThan(800);
});
