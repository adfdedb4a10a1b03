/** The npm package etcd3, an independent client, works against this server. */
import { Etcd3, EtcdLeaseInvalidError, type IKeyValue } from "etcd3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cluster } from "../support/cluster.js";
import { isMissing, subject } from "../support/server-kind.js";

let cluster: Cluster;
let client: Etcd3;

function once<T>(subscribe: (resolve: (value: T) => void) => void): Promise<T> {
  return new Promise(subscribe);
}

describe.skipIf(isMissing(subject))("npm etcd3", () => {
  beforeAll(async () => {
    cluster = await Cluster.start({ kind: subject, size: 3 });
    client = new Etcd3({ hosts: cluster.endpoints.map((endpoint) => `http://${endpoint}`) });
  });
  afterAll(async () => {
    client?.close();
    await cluster?.dispose();
  });

  test("put, get, delete", async () => {
    await client.put("plain").value("first");
    const previous = await client.put("plain").value("second").getPrevious();
    expect(previous?.value.toString()).toBe("first");
    expect(await client.get("plain").string()).toBe("second");
    expect(await client.get("absent").string()).toBeNull();
    for (const name of ["x", "y", "z"]) await client.put(`many/${name}`).value(name);
    expect(await client.getAll().prefix("many/").strings()).toEqual({
      "many/x": "x",
      "many/y": "y",
      "many/z": "z",
    });
    expect(await client.getAll().prefix("many/").sort("Key", "Descend").limit(2).keys()).toEqual([
      "many/z",
      "many/y",
    ]);
    const deleted = await client.delete().prefix("many/");
    expect(deleted.deleted).toBe("3");
  });

  test("a transaction takes one branch", async () => {
    await client.put("account").value("10");
    const attempt = (expected: string) =>
      client
        .if("account", "Value", "==", expected)
        .then(client.put("account").value("11"))
        .else(client.get("account"))
        .commit();
    expect((await attempt("10")).succeeded).toBe(true);
    expect((await attempt("10")).succeeded).toBe(false);
    expect(await client.get("account").string()).toBe("11");
  });

  test("a watcher sees puts and deletes, and resumes after its member went away", async () => {
    const watcher = await client.watch().prefix("watched/").create();
    const values: string[] = [];
    let wake: () => void = () => undefined;
    watcher.on("put", (kv: IKeyValue) => {
      values.push(kv.value.toString());
      wake();
    });
    const seen = async (value: string): Promise<void> => {
      while (!values.includes(value)) await once<void>((resolve) => (wake = resolve));
    };
    await client.put("watched/a").value("1");
    await seen("1");
    const deleted = once<IKeyValue>((resolve) => watcher.once("delete", resolve));
    await client.delete().key("watched/a");
    expect((await deleted).key.toString()).toBe("watched/a");

    // One by one, so that whichever member the watch is on goes away while two others stay.
    for (const [at, member] of cluster.members.entries()) {
      await member.kill();
      await cluster.leader();
      const others = cluster.members.find((other) => other !== member);
      const value = Buffer.from(`while ${at}`);
      await others?.client.put({ key: Buffer.from("watched/b"), value });
      await seen(`while ${at}`);
      await member.start();
      await member.client.reconnected();
    }
    expect(values).toEqual(["1", "while 0", "while 1", "while 2"]);
    await watcher.cancel();
  }, 90_000);

  test("a lease keeps its keys until it is revoked", async () => {
    const lease = client.lease(60);
    await lease.put("leased").value("here");
    expect(await client.get("leased").string()).toBe("here");
    await lease.keepaliveOnce();
    await lease.revoke();
    expect(await client.get("leased").string()).toBeNull();
  });

  test("a lease that is not kept alive ends, and its keys with it", async () => {
    const lease = client.lease(2, { autoKeepAlive: false });
    await lease.put("short").value("here");
    const watcher = await client.watch().key("short").create();
    await once((resolve) => watcher.once("delete", resolve));
    expect(await client.get("short").string()).toBeNull();
    await expect(lease.keepaliveOnce()).rejects.toThrow(EtcdLeaseInvalidError);
    await watcher.cancel();
  });

  test("a lock excludes", async () => {
    const holder = client.lock("door");
    await holder.acquire();
    await expect(client.lock("door").acquire()).rejects.toThrow();
    await holder.release();
    await client.lock("door").do(async () => {
      await expect(client.lock("door").acquire()).rejects.toThrow();
    });
  });

  test("an election has one leader, then the next", async () => {
    const first = client.election("office", 5);
    const second = client.election("office", 5);
    const campaign = first.campaign("one");
    await once<void>((resolve) => campaign.once("elected", () => resolve()));
    expect(await first.leader()).toBe("one");
    const challenger = second.campaign("two");
    const won = once<void>((resolve) => challenger.once("elected", () => resolve()));
    await campaign.resign();
    await won;
    expect(await second.leader()).toBe("two");
    await challenger.resign();
  });

  test("software transactional memory loses no update", async () => {
    await client.put("counter").value("0");
    const add = (): Promise<unknown> =>
      client.stm({ retries: 100 }).transact(async (memory) => {
        const now = Number(await memory.get("counter").string());
        await memory.put("counter").value(String(now + 1));
      });
    await Promise.all(Array.from({ length: 8 }, add));
    expect(await client.get("counter").string()).toBe("8");
  });
});
