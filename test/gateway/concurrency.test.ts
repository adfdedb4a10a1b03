/** Lock and election of the server, for clients that have no library for them; beside etcd's own. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cluster } from "../support/cluster.js";
import { isMissing, type ServerKind } from "../support/server-kind.js";
import { ask, type JsonAnswer } from "./requests.js";

const kinds: readonly ServerKind[] = ["lockstep", "etcd35"];
const text = (base64: string): string => Buffer.from(base64, "base64").toString();
const encoded = (plain: string): string => Buffer.from(plain).toString("base64");

describe.each(kinds.filter((kind) => !isMissing(kind)))("on %s", (kind) => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({ kind });
  }, 120_000);
  afterAll(async () => {
    await cluster?.dispose();
  });

  const post = async (path: string, body: object, lines?: number): Promise<JsonAnswer> => {
    const asked = { path: `/v3/${path}`, body: JSON.stringify(body) };
    return await ask(cluster.first.endpoint, lines === undefined ? asked : { ...asked, lines });
  };
  const first = ({ lines }: JsonAnswer): Record<string, string> =>
    lines[0] as Record<string, string>;
  const lease = async (): Promise<string> =>
    first(await post("lease/grant", { TTL: 600 })).ID as string;
  /** Keys below a folder, each with its value. */
  const folder = async (name: string): Promise<string[]> => {
    const range = { key: encoded(`${name}/`), range_end: encoded(`${name}0`) };
    const { kvs = [] } = first(await post("kv/range", range)) as unknown as {
      kvs?: { key: string; value?: string }[];
    };
    return kvs.map(({ key, value = "" }) => `${text(key)}=${text(value)}`);
  };
  /** Resolves when so many stand in line. */
  const inLine = async (name: string, count: number): Promise<void> => {
    while ((await folder(name)).length !== count) await new Promise(setImmediate);
  };
  const hex = (id: string): string => BigInt(id).toString(16);

  test("a lock is held by one at a time, in the order of arrival", async () => {
    const [a, b, c] = [await lease(), await lease(), await lease()];
    const name = encoded("lock");
    const held = await post("lock/lock", { name, lease: a });
    expect(text(first(held).key as string)).toBe(`lock/${hex(a)}`);
    const again = await post("lock/lock", { name, lease: a });
    expect(first(again).key).toBe(first(held).key);
    const order: string[] = [];
    const second = post("lock/lock", { name, lease: b }).then(() => order.push("b"));
    await inLine("lock", 2);
    const third = post("lock/lock", { name, lease: c }).then(() => order.push("c"));
    await inLine("lock", 3);
    expect(order).toEqual([]);
    await post("lock/unlock", { key: first(held).key });
    await second;
    await post("lease/revoke", { ID: b });
    await third;
    expect(order).toEqual(["b", "c"]);
  });

  test("who gives up leaves the line", async () => {
    const name = encoded("line");
    await post("lock/lock", { name });
    const stop = new AbortController();
    const waiting = fetch(`http://${cluster.first.endpoint}/v3/lock/lock`, {
      method: "POST",
      body: JSON.stringify({ name, lease: await lease() }),
      signal: stop.signal,
    }).catch(() => {});
    await inLine("line", 2);
    stop.abort();
    await waiting;
    await inLine("line", 1);
  });

  test("a lock whose lease ended while its owner waited is refused", async () => {
    const [a, b] = [await lease(), await lease()];
    const name = encoded("expired");
    const held = await post("lock/lock", { name, lease: a });
    const waiting = post("lock/lock", { name, lease: b });
    await inLine("expired", 2);
    await post("lease/revoke", { ID: b });
    await post("lock/unlock", { key: first(held).key });
    expect(await waiting).toMatchObject({
      status: 500,
      lines: [{ code: 2, message: "mutex: session is expired" }],
    });
  });

  test("a lease that is none is refused", async () => {
    const { status, lines } = await post("lock/lock", { name: "bG9jaw==", lease: "12345" });
    expect(status).toBe(500);
    expect(lines).toMatchObject([{ code: 2, message: "etcdserver: requested lease not found" }]);
  });

  test("an election has one leader, who proclaims and resigns, and observers hear it", async () => {
    const [a, b] = [await lease(), await lease()];
    const name = encoded("election");
    const observed = post("election/observe", { name }, 3);
    const won = await post("election/campaign", { name, lease: a, value: encoded("one") });
    const { leader } = first(won) as unknown as { leader: { key: string; rev: string } };
    expect(text(leader.key)).toBe(`election/${hex(a)}`);
    const next = post("election/campaign", { name, lease: b, value: encoded("three") });
    await inLine("election", 2);
    // The observer must have seen the first value before it changes.
    await post("election/observe", { name }, 1);
    await post("election/proclaim", { leader, value: encoded("two") });
    const now = first(await post("election/leader", { name })) as unknown as {
      kv: { key: string; value: string };
    };
    expect([now.kv.key, text(now.kv.value)]).toEqual([leader.key, "two"]);
    await post("election/resign", { leader });
    await next;
    const values = (await observed).lines.map((line) =>
      text((line as { result: { kv: { value: string } } }).result.kv.value),
    );
    expect(values).toEqual(["one", "two", "three"]);
    expect(await folder("election")).toEqual([`election/${hex(b)}=three`]);
  });
});
