/** The library: a cluster in this process, served to a real etcd client, that keeps its data. */
import { mkdtempSync, rmSync } from "node:fs";
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
  await Promise.all(second.members.map((member) => member.stopped));
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
