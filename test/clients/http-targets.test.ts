/** Unusual request targets on the client port: the same status and place as etcd 3.5.16's. */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cluster } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";

const targets = [
  ...["/v3/kv/put", "//v3/kv/put", "/v3//kv/put?x=1", "/v3/kv/../kv/put", "/v3/kv/%2e%2e/kv/put"],
  ...[
    "/v3/kv/put/",
    "/V3/KV/PUT",
    "/v3/kv/pu%74",
    "/v3/kv%2fput",
    "/v3/kv/put%3Fx=1",
    "/v3/kv/put;x",
  ],
  ...[
    "/v3/kv/put%00",
    "/v3/./kv/put",
    "http://x/v3/kv/put",
    "http://x",
    "*",
    "/v3",
    "/v3/",
    "/v3beta",
  ],
  ...["//version", "/version/", "/health/..", "/../version", "/a/./", "/%", "/%zz", "/metrics/"],
];

/** Sends a head and a body. The status of the answer, and its header Location. */
function exchange(endpoint: string, text: string): Promise<string[]> {
  const [host = "", port] = endpoint.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host);
    let answer = "";
    socket.on("error", reject);
    socket.on("data", (bytes) => {
      answer += bytes.toString("latin1");
      if (answer.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("close", () => {
      const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? "none";
      resolve([status, /^location: (.*)\r$/im.exec(answer)?.[1] ?? ""]);
    });
    socket.write(text);
  });
}

/** The body of a POST is a put. */
function ask(endpoint: string, method: string, target: string): Promise<string[]> {
  const body = method === "POST" ? '{"key":"YQ==","value":"Yg=="}' : "";
  const heads = ["Host: x", "Connection: close", `Content-Length: ${body.length}`];
  return exchange(endpoint, `${method} ${target} HTTP/1.1\r\n${heads.join("\r\n")}\r\n\r\n${body}`);
}

const upgrades = [
  "/v3/watch",
  "/v3/watch?x=1",
  "//v3/watch",
  "/v3/x/../watch",
  "/v3/wat%63h",
  "/%",
];

/** A request for a WebSocket. */
function upgrade(endpoint: string, target: string): Promise<string[]> {
  const heads = ["Host: x", "Connection: Upgrade", "Upgrade: websocket"];
  heads.push("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==");
  return exchange(endpoint, `GET ${target} HTTP/1.1\r\n${heads.join("\r\n")}\r\n\r\n`);
}

describe.skipIf(isMissing("etcd35", "lockstep"))("request targets", () => {
  const clusters: Cluster[] = [];
  beforeAll(async () => {
    for (const kind of ["etcd35", "lockstep"] as const) {
      const cluster = await Cluster.start({ kind, size: 1 });
      clusters.push(cluster);
      await cluster.leader();
    }
  }, 60_000);
  afterAll(async () => {
    for (const cluster of clusters) await cluster.dispose();
  });

  test.each(upgrades)("a WebSocket at %s", async (target) => {
    const [etcd, own] = await Promise.all(
      clusters.map(({ first }) => upgrade(first.endpoint, target)),
    );
    expect(own).toEqual(etcd);
  });

  test.each(targets)("%s", async (target) => {
    for (const method of ["GET", "POST"]) {
      const [etcd, own] = await Promise.all(
        clusters.map(({ first }) => ask(first.endpoint, method, target)),
      );
      expect(own).toEqual(etcd);
    }
  });
});
