/**
 * `lockstep dev` as a newcomer meets it: three members that come back with their data on the ports
 * they had, and that never outlive the launcher.
 */

import { fork } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Etcd3 } from "etcd3";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { ServerProcess } from "../../src/cli/stage/server-process.js";
import { freePorts, isFree } from "../../src/platform/node/free-ports.js";
import { projectRoot } from "../support/server-kind.js";

interface Place {
  readonly name: string;
  readonly client: number;
  readonly peer: number;
}

let folder: string;
let launcher: ServerProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-dev-"));
});
afterEach(async () => {
  await launcher?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function dev(...words: readonly string[]): ServerProcess {
  launcher = new ServerProcess({
    command: process.execPath,
    args: [join(projectRoot, "bin/lockstep"), "dev", ...words],
    logFile: join(folder, "dev.log"),
    cwd: folder,
  });
  return launcher;
}

async function started(...words: readonly string[]): Promise<ServerProcess> {
  const process = dev(...words);
  await process.waitForLine(/ctrl-C stops it/, 30_000);
  return process;
}

/** As if these ports had been chosen by an earlier start. */
async function keepFreePorts(): Promise<Place[]> {
  const ports = await freePorts("127.0.0.1", 6);
  const places = ["m1", "m2", "m3"].map((name, at) => ({
    name,
    client: ports[2 * at] as number,
    peer: ports[2 * at + 1] as number,
  }));
  mkdirSync(join(folder, ".lockstep"));
  writeFileSync(join(folder, ".lockstep/dev.json"), JSON.stringify(places));
  return places;
}

/** Also those end that hold no port yet: all run in the launcher's folder (Linux). */
async function membersEnd(places: readonly Place[]): Promise<void> {
  await expect.poll(processesHere, { timeout: 15_000 }).toEqual([]);
  for (const { client, peer } of places) {
    for (const port of [client, peer]) {
      await expect.poll(() => isFree("127.0.0.1", port), { timeout: 15_000 }).toBe(true);
    }
  }
}

function processesHere(): string[] {
  const here = realpathSync(folder);
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`) === here;
    } catch {
      // It has ended meanwhile, or is not ours to look at.
      return false;
    }
  });
}

function clientOf(places: readonly Place[]): Etcd3 {
  return new Etcd3({ hosts: places.map(({ client }) => `127.0.0.1:${client}`) });
}

test("comes back with its data after ctrl-C, and when the launcher was killed", async () => {
  const places = await keepFreePorts();
  const first = await started();
  expect(first.log()).toContain(places.map(({ client }) => `127.0.0.1:${client}`).join(","));
  let client = clientOf(places);
  await client.put("greeting").value("hello");
  client.close();
  first.child.kill("SIGINT");
  expect(await first.exited).toEqual({ code: 0, signal: null });
  await membersEnd(places);

  const second = await started("--base-port=12000");
  expect(second.log()).toContain("The ports of the first start are kept: see .lockstep/dev.json");
  client = clientOf(places);
  expect(await client.get("greeting").string()).toBe("hello");
  await client.put("greeting").value("again");
  client.close();
  await second.kill();
  await membersEnd(places);

  await started();
  client = clientOf(places);
  expect(await client.get("greeting").string()).toBe("again");
  client.close();
}, 120_000);

test("a launcher killed while its members start leaves none behind", async () => {
  const places = await keepFreePorts();
  const process = dev();
  const { peer } = places[0] as Place;
  await expect.poll(() => isFree("127.0.0.1", peer), { timeout: 15_000, interval: 5 }).toBe(false);
  await process.kill();
  await membersEnd(places);
}, 60_000);

test("a member whose launcher died before it could listen for that does not start", async () => {
  const words = ["server", "--data-dir=late", "--listen-client-urls=http://127.0.0.1:0"];
  const member = fork(join(projectRoot, "bin/lockstep"), words, {
    cwd: folder,
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  onTestFinished(() => void member.kill("SIGKILL"));
  const ended = new Promise((resolve) => member.once("exit", resolve));
  member.disconnect();
  expect(await ended).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
}, 30_000);

test("a kept port that another program holds is named, and nothing is started", async () => {
  const places = await keepFreePorts();
  const { peer } = places[1] as Place;
  const other = createServer().listen(peer, "127.0.0.1");
  const { code } = await dev().exited;
  expect(code).toBe(1);
  expect(launcher?.log()).toContain(`Port ${peer} of member m2 is taken`);
  await new Promise((resolve) => other.close(resolve));
}, 30_000);

test("a member that dies is reported, the others go on, and the launcher fails at its end", async () => {
  const places = await keepFreePorts();
  const process = await started();
  const [victim, ...others] = places as [Place, Place, Place];
  const log = readFileSync(join(folder, `.lockstep/${victim.name}.log`), "utf8");
  expect(log).toContain("ready to serve client requests");
  const told = process.waitForLine(/Member m1 ended \(SIGKILL\): see .*m1\.log/, 10_000);
  killMember(folder, victim.name);
  await told;
  const client = clientOf(others);
  await client.put("still").value("here");
  client.close();
  process.child.kill("SIGTERM");
  expect((await process.exited).code).toBe(1);
  await membersEnd(places);
}, 60_000);

/** By its claim on its folder, which is named by the process id. */
function killMember(root: string, name: string): void {
  const files = readdirSync(join(root, ".lockstep", name)).join(" ");
  const pid = /member\.lock\.(\d+)/.exec(files)?.[1];
  if (pid === undefined) throw new Error(`no claim among ${files}`);
  process.kill(Number(pid), "SIGKILL");
}

/** The first of six ports in a row that are free, for --base-port. */
async function freeBasePort(): Promise<number> {
  for (;;) {
    const [base] = (await freePorts("127.0.0.1", 1)) as [number];
    const row = Array.from({ length: 6 }, (_, at) => isFree("127.0.0.1", base + at));
    if ((await Promise.all(row)).every(Boolean)) return base;
  }
}

test("on taken ports of the first start it takes others, keeps them and says so", async () => {
  const base = await freeBasePort();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(base + 2, "127.0.0.1", resolve));
  const process = await started("--base-port", String(base));
  const places = JSON.parse(readFileSync(join(folder, ".lockstep/dev.json"), "utf8")) as Place[];
  const [m1, m2, m3] = places as [Place, Place, Place];
  expect(m1).toEqual({ name: "m1", client: base, peer: base + 1 });
  expect(m2.peer).toBe(base + 3);
  expect(m3).toEqual({ name: "m3", client: base + 4, peer: base + 5 });
  const told = `m2: ports ${base + 2}/${base + 3} are taken, using ${m2.client}/${base + 3}`;
  expect(process.log()).toContain(told);
  expect(new Set(places.flatMap(({ client, peer }) => [client, peer])).size).toBe(6);
  await process.stop();
  await membersEnd(places);
  await new Promise((resolve) => other.close(resolve));
}, 60_000);

test.each([
  ["cut short", '[{"name":"m1","client":1'],
  ["empty", ""],
  ["of another form", '{"m1":2379}'],
  ["without a member", '[{"name":"m1","client":12001,"peer":12002}]'],
  [
    "with a port twice",
    JSON.stringify(["m1", "m2", "m3"].map((name) => ({ name, client: 12_001, peer: 12_002 }))),
  ],
  ["missing beside data", undefined],
])("a list of ports that is %s: it says what to do and touches nothing", async (_how, text) => {
  const root = join(folder, ".lockstep");
  mkdirSync(join(root, "m1"), { recursive: true });
  if (text !== undefined) writeFileSync(join(root, "dev.json"), text);
  const { code } = await dev().exited;
  expect(code).toBe(1);
  const log = launcher?.log() ?? "";
  expect(log).toContain(".lockstep/dev.json cannot be used: ");
  expect(log).toContain("Write it anew, in this form: [{");
  expect(log).not.toMatch(/^\s+at /m);
  expect(readdirSync(root).sort()).toEqual(text === undefined ? ["m1"] : ["dev.json", "m1"]);
  if (text !== undefined) expect(readFileSync(join(root, "dev.json"), "utf8")).toBe(text);
});

test.each([
  [["--fast"], "takes --base-port alone, but got: --fast"],
  [["--base-port"], 'is a number from 1 to 65530, but got: ""'],
  [["--base-port=65531"], 'is a number from 1 to 65530, but got: "65531"'],
  [["--base-port", "12000", "more"], "takes --base-port alone, but got: --base-port 12000 more"],
])("%j is refused", async (words, text) => {
  expect((await dev(...words).exited).code).toBe(2);
  expect(launcher?.log()).toContain(text);
  expect(readdirSync(folder)).toEqual(["dev.log"]);
});
