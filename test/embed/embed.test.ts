/** The library: a cluster in this process, served to a real etcd client, that keeps its data. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Etcd3 } from "etcd3";
import { afterAll, expect, test } from "vitest";
import { startCluster, startMember } from "../../src/index.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-embed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("startCluster: three members, an etcd client, and the data after a restart", async () => {
  const first = await startCluster({ dataDir: join(folder, "cluster"), members: 3 });
  const client = new Etcd3({ hosts: [...first.endpoints] });
  await client.put("greeting").value("hello");
  expect(await client.get("greeting").string()).toBe("hello");
  client.close();
  await first.stop();
  const second = await startCluster({ dataDir: join(folder, "cluster"), members: 3 });
  expect(second.endpoints).toEqual(first.endpoints);
  const again = new Etcd3({ hosts: [...second.endpoints] });
  expect(await again.get("greeting").string()).toBe("hello");
  again.close();
  await second.stop();
  // Nobody has to remember how many there are; another number is a mistake.
  const other = startCluster({ dataDir: join(folder, "cluster"), members: 5 });
  await expect(other).rejects.toThrow(/holds a cluster of 3 \(m1, m2, m3\), not of 5/);
  await Promise.all(second.members.map((member) => member.stopped));
}, 60_000);

test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    "no member",
    () => startCluster({ dataDir: join(folder, "x"), members: 0 }),
    /1 or more, but got: 0/,
  ],
  ["less than none", () => startCluster({ dataDir: join(folder, "x"), members: -1 }), /1 or more/],
  ["half a member", () => startCluster({ dataDir: join(folder, "x"), members: 1.5 }), /1 or more/],
  ["no folder", () => startCluster({} as never), /needs "dataDir"/],
  [
    "an unknown option",
    () => startMember({ datadir: "x" } as never),
    /no option "datadir"; there are dataDir/,
  ],
  [
    "an unknown flag",
    () => startMember({ dataDir: join(folder, "x"), flags: { "snapshot-cuont": "1" } }),
    /nearest known flag is --snapshot-count/,
  ],
  [
    "a wrong value",
    () => startMember({ dataDir: join(folder, "x"), flags: { "max-txn-ops": "many" } }),
    /invalid value "many"/,
  ],
])("%s: an error that says so, and nothing is left behind", async (_name, start, text) => {
  await expect(start()).rejects.toThrow(text);
  expect(existsSync(join(folder, "x"))).toBe(false);
});

test("a member that cannot start takes the others of its cluster with it", async () => {
  const dataDir = join(folder, "blocked");
  const first = await startCluster({ dataDir, members: 3 });
  await first.stop();
  const [host, port] = (first.endpoints[1] as string).split(":");
  const blocker = createServer().listen(Number(port), host);
  await expect(startCluster({ dataDir })).rejects.toMatchObject({ code: "EADDRINUSE" });
  await new Promise((resolve) => blocker.close(resolve));
  // Nothing holds a port or a folder any more.
  await (await startCluster({ dataDir })).stop();
}, 60_000);

test("startMember: one member, flags by name, a directory in use is refused", async () => {
  const dataDir = join(folder, "one");
  const flags = { "max-txn-ops": "7" };
  const member = await startMember({ dataDir, flags });
  const client = new Etcd3({ hosts: member.endpoint });
  await client.put("a").value("b");
  await expect(startMember({ dataDir })).rejects.toThrow(/is in use by process/);
  expect(await client.get("a").string()).toBe("b");
  client.close();
  await member.stop();
}, 60_000);
