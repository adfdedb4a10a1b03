/**
 * `lockstep dev` as a newcomer meets it: three members that come back with their data on the ports
 * they had, and that never outlive the launcher.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Etcd3 } from "etcd3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isFree } from "../../src/platform/node/free-ports.js";
import { freePorts } from "../support/ports.js";
import { ServerProcess } from "../support/process.js";
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

function dev(): ServerProcess {
  launcher = new ServerProcess({
    command: process.execPath,
    args: [join(projectRoot, "bin/lockstep"), "dev"],
    logFile: join(folder, "dev.log"),
    cwd: folder,
  });
  return launcher;
}

async function started(): Promise<ServerProcess> {
  const process = dev();
  await process.waitForLine(/ctrl-C stops it/, 30_000);
  return process;
}

/** As if these ports had been chosen by an earlier start. */
async function keepFreePorts(): Promise<Place[]> {
  const ports = await freePorts(6);
  const places = ["m1", "m2", "m3"].map((name, at) => ({
    name,
    client: ports[2 * at] as number,
    peer: ports[2 * at + 1] as number,
  }));
  mkdirSync(join(folder, ".lockstep"));
  writeFileSync(join(folder, ".lockstep/dev.json"), JSON.stringify(places));
  return places;
}

/** Members hold their ports as long as they live. */
async function membersEnd(places: readonly Place[]): Promise<void> {
  for (const { client, peer } of places) {
    for (const port of [client, peer]) {
      await expect.poll(() => isFree("127.0.0.1", port), { timeout: 15_000 }).toBe(true);
    }
  }
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

  const second = await started();
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

test("on taken ports of the first start it takes others, keeps them and says so", async () => {
  const usual = createServer();
  await new Promise<void>((resolve) => {
    // Someone else holding it serves as well.
    usual.once("error", () => resolve());
    usual.listen(2379, "127.0.0.1", () => resolve());
  });
  const process = await started();
  const places = JSON.parse(readFileSync(join(folder, ".lockstep/dev.json"), "utf8")) as Place[];
  expect(process.log()).toContain("m1: ports 2379/2380 are taken, using ");
  const ports = places.flatMap(({ client, peer }) => [client, peer]);
  expect(new Set(ports).size).toBe(6);
  expect(ports).not.toContain(2379);
  await process.stop();
  await membersEnd(places);
  usual.close();
}, 60_000);

test("it takes no arguments", async () => {
  const process = new ServerProcess({
    command: globalThis.process.execPath,
    args: [join(projectRoot, "bin/lockstep"), "dev", "--fast"],
    logFile: join(folder, "refused.log"),
    cwd: folder,
  });
  expect((await process.exited).code).toBe(2);
  expect(process.log()).toContain("takes no arguments, but got: --fast");
});
