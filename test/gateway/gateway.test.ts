/** The JSON gateway beside etcd's own, request by request; then over WebSocket, and what is hostile. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Cluster } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";
import { ask, expectEqual, type JsonRequest } from "./requests.js";

let ours: Cluster;
let etcd: Cluster | undefined;
const base64 = (text: string): string => Buffer.from(text).toString("base64");

beforeAll(async () => {
  ours = await Cluster.start({ kind: "lockstep" });
  if (!isMissing("etcd35")) etcd = await Cluster.start({ kind: "etcd35" });
}, 120_000);
afterAll(async () => {
  await Promise.all([ours?.dispose(), etcd?.dispose()]);
});

const post = (path: string, body: unknown, more: Partial<JsonRequest> = {}): JsonRequest => ({
  path: `/v3/${path}`,
  body: typeof body === "string" ? body : JSON.stringify(body),
  ...more,
});
const foo = { key: base64("foo") };
const versionIsOne = [{ ...foo, target: "VERSION", version: "1", result: "EQUAL" }];
const get = { request_range: foo };

/** In this order. A body that cannot be read has a text of each server's own. */
const requests: readonly JsonRequest[] = [
  post("kv/put", { ...foo, value: "YmFy" }),
  post("kv/put", { ...foo, value: "YmFy", prevKv: true }),
  post("kv/put", { ...foo, value: "_-8", prev_kv: true }),
  { ...post("kv/range", foo), path: "/v3beta/kv/range" },
  post("kv/range", { ...foo, sort_order: "DESCEND", limit: "1" }),
  post("kv/range", { ...foo, sort_order: 2, limit: 1 }),
  post("kv/range", { ...foo, sort_order: "NO_SUCH_ORDER", no_such_field: 1 }),
  post("kv/range", { key: "AA==", range_end: "AA==", keys_only: true }),
  post("kv/range", { ...foo, limit: "x" }, { ownText: true }),
  post("kv/range", { key: 5 }, { ownText: true }),
  post("kv/range", { key: "!!" }, { ownText: true }),
  post("kv/range", '{"key":"Zm9v"'),
  post("kv/range", "[]", { ownText: true }),
  post("kv/put", '{"key":"YQ==","key":"Yg=="}', { ownText: true }),
  post("kv/put", '{"key":"\\ud800"}', { ownText: true }),
  post("kv/put", `{"other":${"[".repeat(20_000)}${"]".repeat(20_000)}}`, { ownText: true }),
  post("kv/range", "null", { ownText: true }),
  post("kv/range", ""),
  post("kv/range", "{}"),
  post("kv/range", '{"key":"Zm9v"} and what follows'),
  post("kv/range", "", { method: "GET" }),
  post("kv/range", foo, { method: "PUT" }),
  post("kv/nothing", {}),
  post("", {}),
  post("kv/txn", { compare: versionIsOne, success: [get], failure: [get] }),
  post("kv/txn", {
    compare: [{ ...foo, target: "MOD", mod_revision: "4" }],
    success: [{ requestPut: { ...foo, value: "AAA=" } }, { request_txn: { success: [get] } }],
  }),
  post("kv/deleterange", { ...foo, prev_kv: true }),
  post("kv/compaction", { revision: "1000" }),
  post("kv/range", { ...foo, revision: "1000" }),
  post("lease/grant", { TTL: 60, ID: "77" }),
  post("lease/grant", { TTL: "60", ID: 77 }),
  post("kv/put", { ...foo, value: "YmFy", lease: 77 }),
  post("lease/keepalive", '{"ID":"77"}{"ID":"78"}'),
  post("lease/timetolive", { ID: "78", keys: true }),
  post("kv/lease/timetolive", { ID: "78" }),
  post("lease/leases", {}),
  post("kv/lease/leases", ""),
  post("kv/lease/revoke", { ID: "78" }),
  post("lease/revoke", { ID: "77" }),
  post("cluster/member/remove", { ID: "1" }),
  post("cluster/member/promote", { ID: "1" }),
  post("maintenance/alarm", { action: "GET" }),
  post("maintenance/defragment", {}),
  post("maintenance/transfer-leadership", { targetID: "1" }),
  post("watch", { create_request: { ...foo, start_revision: "1" } }, { lines: 2 }),
  post("watch", '{"create_request":{"key":"Zm9v","start_revision":"999"}}{"cancel_request":{}}', {
    lines: 2,
  }),
  post("lock/unlock", { key: "bA==" }),
  post("election/leader", { name: "ZQ==" }),
  post("election/proclaim", {}),
  post("election/proclaim", { leader: { name: "ZQ==", key: "aa==", rev: "1" } }),
  post("election/resign", { leader: { name: "ZQ==", key: "aa==", rev: "1" } }),
  post("kv/range", foo, { headers: { "Grpc-Timeout": "1S" } }),
  post("kv/range", foo, { headers: { "Grpc-Timeout": "xx" } }),
  post("kv/range", foo, { headers: { "Content-Type": "text/plain" } }),
  post("kv/put", { ...foo, value: "A".repeat(2_400_000) }),
];

describe.skipIf(isMissing("etcd35"))("answers are those of etcd 3.5 (skipped without it)", () => {
  test("to every kind of request and to bodies that are none", async () => {
    if (etcd === undefined) throw new Error("etcd 3.5 did not start");
    for (const asked of requests)
      await expectEqual(ours.first.endpoint, etcd.first.endpoint, asked);
  });
});

describe("errors", () => {
  test("have the fields of both generations of gateways", async () => {
    const { lines } = await ask(ours.first.endpoint, post("kv/range", {}));
    const text = "etcdserver: key is not provided";
    expect(lines).toEqual([{ error: text, code: 3, message: text }]);
  });

  test("of streams too, before the first answer", async () => {
    const { status, lines } = await ask(ours.first.endpoint, post("watch", "{bad"));
    expect(status).toBe(400);
    expect(lines).toMatchObject([{ error: { grpc_code: 3, code: 3, http_code: 400 } }]);
  });

  test("name the limit when a request is too large, and the connection goes on", async () => {
    const body = { ...foo, value: "A".repeat(6_000_000) };
    const { status, lines } = await ask(ours.first.endpoint, post("kv/put", body));
    expect(status).toBe(429);
    expect(lines).toMatchObject([
      { message: expect.stringMatching(/larger than max \(\d+ vs. \d+\)/) },
    ]);
  });
});

/** The messages of a WebSocket, one at a time. */
async function* messagesOf(socket: WebSocket): AsyncGenerator<unknown> {
  const waiting: unknown[] = [];
  let wake = (): void => {};
  socket.on("message", (data: Buffer) => {
    waiting.push(JSON.parse(data.toString()) as unknown);
    wake();
  });
  for (;;) {
    while (waiting.length > 0) yield waiting.shift();
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

describe("over WebSocket", () => {
  test("a watch takes requests as messages and gives answers as messages", async () => {
    const socket = new WebSocket(`ws://${ours.first.endpoint}/v3/watch`, ["Bearer", "token"]);
    const messages = messagesOf(socket);
    await new Promise((resolve) => socket.on("open", resolve));
    expect(socket.protocol).toBe("Bearer");
    const key = base64("socket");
    socket.send(JSON.stringify({ create_request: { key, watch_id: "3" } }));
    expect((await messages.next()).value).toMatchObject({
      result: { created: true, watch_id: "3" },
    });
    await ask(ours.first.endpoint, post("kv/put", { key, value: key }));
    const event = { kv: { key, value: key, version: "1" } };
    expect((await messages.next()).value).toMatchObject({ result: { events: [event] } });
    socket.send(JSON.stringify({ cancel_request: { watch_id: "3" } }));
    expect((await messages.next()).value).toMatchObject({ result: { canceled: true } });
    socket.send("no json");
    expect((await messages.next()).value).toMatchObject({ error: { grpc_code: 3 } });
    await new Promise((resolve) => socket.on("close", resolve));
  });

  test("other paths are refused", async () => {
    for (const path of ["/v3/nothing", "/metrics"]) {
      const socket = new WebSocket(`ws://${ours.first.endpoint}${path}`);
      const error = await new Promise((resolve) => socket.on("error", resolve));
      expect(String(error), path).toContain("404");
    }
  });
});

describe("large answers", () => {
  test("come whole, and a client that leaves ends the work", async () => {
    const { endpoint } = ours.first;
    const value = Buffer.alloc(1_000_000, "x").toString("base64");
    for (let at = 0; at < 12; at++) {
      await ask(endpoint, post("kv/put", { key: base64(`large/${at}`), value }));
    }
    const all = post("kv/range", { key: base64("large/"), range_end: base64("large0") });
    const { lines } = await ask(endpoint, all);
    const { count, kvs } = lines[0] as { count: string; kvs: { value: string }[] };
    expect(count).toBe("12");
    expect(kvs.every((kv) => kv.value === value)).toBe(true);
    const stop = new AbortController();
    const { body } = all;
    const left = await fetch(`http://${endpoint}${all.path}`, {
      method: "POST",
      body,
      signal: stop.signal,
    });
    expect(left.status).toBe(200);
    stop.abort();
    expect((await ask(endpoint, post("kv/range", foo))).status).toBe(200);
  });
});
