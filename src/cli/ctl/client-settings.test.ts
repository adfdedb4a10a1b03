/** The flags that say how a client connects, and what its connection makes of them. */
import type { SrvRecord } from "node:dns";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { channelOptionsOf, clientFlags, clientOf, endpointsOf } from "./client-settings.js";
import { type Flags, parseFlags } from "./flags.js";
import { methods } from "./method.js";

const flagsOf = (...words: string[]): Flags => parseFlags(words, clientFlags).flags;

const record = (name: string, port: number): SrvRecord => ({ name, port, priority: 0, weight: 0 });
const zone: Readonly<Record<string, SrvRecord[]>> = {
  "_etcd-client-ssl._tcp.example.com": [record("a.example.com.", 2379)],
  "_etcd-client._tcp.example.com": [record("b.example.com.", 2389)],
  "_etcd-client-prod._tcp.example.com": [record("c.example.com.", 2399)],
};
const resolve = async (name: string): Promise<SrvRecord[]> => {
  const records = zone[name];
  if (records === undefined) throw new Error("queryTxt ENOTFOUND");
  return records;
};

describe("endpoints by DNS", () => {
  test("secure ones first; they take the place of --endpoints; a name is added to the service's", async () => {
    const found = ["https://a.example.com:2379", "http://b.example.com:2389"];
    expect(await endpointsOf(flagsOf("--endpoints=x:1", "-d", "example.com"), resolve)).toEqual(
      found,
    );
    const named = flagsOf("--discovery-srv=example.com", "--discovery-srv-name=prod");
    expect(await endpointsOf(named, resolve)).toEqual(["http://c.example.com:2399"]);
  });

  test("--insecure-discovery=false: without those in plain text, and certificates stand for the domain", async () => {
    const careful = flagsOf("-d=example.com", "--insecure-discovery=false");
    expect(await endpointsOf(careful, resolve)).toEqual(["https://a.example.com:2379"]);
    expect(channelOptionsOf(careful)["grpc.ssl_target_name_override"]).toBe("example.com");
    expect(channelOptionsOf(flagsOf("-d=example.com"))).not.toHaveProperty(
      "grpc.ssl_target_name_override",
    );
    const none = flagsOf("-d=example.com", "--discovery-srv-name=prod", "--insecure-discovery=0");
    await expect(endpointsOf(none, resolve)).rejects.toThrow(/only endpoints without TLS/);
  });

  test("no record is an error that names what was asked", async () => {
    await expect(endpointsOf(flagsOf("-d=example.org"), resolve)).rejects.toThrow(
      /no SRV record names an endpoint \(_etcd-client-ssl\._tcp\.example\.org: .*give --endpoints/,
    );
  });
});

test("sizes and keepalive: etcd's defaults, and what the flags say", () => {
  expect(channelOptionsOf(flagsOf())).toEqual({
    "grpc.max_send_message_length": 2_097_152,
    "grpc.max_receive_message_length": 2_147_483_647,
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 6_000,
  });
  const words = ["--max-request-bytes=5", "--max-recv-bytes=7"];
  words.push("--keepalive-time=1m", "--keepalive-timeout=1500ms");
  expect(channelOptionsOf(flagsOf(...words))).toEqual({
    "grpc.max_send_message_length": 5,
    "grpc.max_receive_message_length": 7,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 1_500,
  });
  expect(() => channelOptionsOf(flagsOf("--max-recv-bytes=-1"))).toThrow(/number of bytes/);
  expect(() => channelOptionsOf(flagsOf("--keepalive-time=5"))).toThrow(/missing unit/);
});

test("the token of --auth-jwt-token goes with each call, and nobody logs in", async () => {
  const calls: unknown[] = [];
  const server = new grpc.Server();
  const same = (bytes: Buffer): Buffer => bytes;
  const codec = { requestSerialize: same, responseSerialize: same };
  const form = { requestStream: false, responseStream: false, path: methods.put.path };
  const decoding = { requestDeserialize: same, responseDeserialize: same };
  server.addService(
    { put: { ...form, ...codec, ...decoding } },
    {
      put: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
        calls.push(call.metadata.get("token"));
        answer(null, Buffer.of(0x0a, 2, 0x18, 1));
      },
    },
  );
  const insecure = grpc.ServerCredentials.createInsecure();
  const port = await new Promise<number>((found, fail) => {
    server.bindAsync("127.0.0.1:0", insecure, (error, bound) =>
      error === null ? found(bound) : fail(error),
    );
  });
  const endpoint = `--endpoints=127.0.0.1:${port}`;
  const client = await clientOf(flagsOf(endpoint, "--auth-jwt-token=a.b.c"));
  await client.call(methods.put, { key: Buffer.from("k") });
  await client.call(methods.put, { key: Buffer.from("k") });
  client.close();
  // One that is larger than allowed never leaves.
  const small = await clientOf(flagsOf(endpoint, "--max-request-bytes=10"));
  const put = small.call(methods.put, { key: Buffer.alloc(20) });
  await expect(put).rejects.toThrow(/larger than 10 \(--max-request-bytes allows more\)/);
  small.close();
  const narrow = await clientOf(flagsOf(endpoint, "--max-recv-bytes=3"));
  await expect(narrow.call(methods.put, {})).rejects.toThrow(/--max-recv-bytes allows more/);
  narrow.close();
  server.forceShutdown();
  expect(calls).toEqual([["a.b.c"], ["a.b.c"], []]);
  const both = clientOf(flagsOf("--auth-jwt-token=a", "--user=b:c"));
  await expect(both).rejects.toThrow(/give one/);
});
