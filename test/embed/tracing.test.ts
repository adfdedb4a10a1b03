/** A server in this process, and a collector of traces that is a gRPC server of this test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import * as grpc from "@grpc/grpc-js";
import { afterAll, expect, test } from "vitest";
import { complete } from "../../src/cli/ctl/method.js";
import { resolveConfig } from "../../src/config/server-config.js";
import { type RunningServer, serve } from "../../src/embed.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { PutRequest } from "../../src/wire/gen/rpc.js";
import { bytes } from "../support/client.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-tracing-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const traceId = "0af7651916cd43dd8448eb211c80319c";
const callerSpan = "b7ad6b7169203331";
const same = (message: Buffer): Buffer => message;
const exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/** The fields of a protobuf message by number: bytes, or numbers. */
type Fields = Map<number, (Uint8Array | bigint)[]>;

function fieldsOf(message: Uint8Array): Fields {
  const reader = new BinaryReader(message);
  const fields: Fields = new Map();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const value =
      wireType === 2 ? reader.bytes() : wireType === 0 ? BigInt(reader.uint64()) : undefined;
    if (value === undefined) reader.skip(wireType);
    else fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

const parts = (fields: Fields, number: number): Fields[] =>
  (fields.get(number) ?? []).map((part) => fieldsOf(part as Uint8Array));
const text = (fields: Fields, number: number, encoding: "utf8" | "hex" = "utf8"): string =>
  Buffer.from((fields.get(number)?.[0] ?? new Uint8Array(0)) as Uint8Array).toString(encoding);

/** KeyValue of OTLP: key = 1, value = 2 with string_value = 1 and int_value = 3. */
function attributesOf(owner: Fields, number: number): Record<string, string> {
  const pairs = parts(owner, number).map((pair) => {
    const [value = new Map()] = parts(pair, 2);
    return [text(pair, 1), value.has(3) ? String(value.get(3)?.[0]) : text(value, 1)];
  });
  return Object.fromEntries(pairs);
}

interface SeenSpan {
  readonly resource: Record<string, string>;
  readonly name: string;
  readonly traceId: string;
  readonly parent: string;
  readonly attributes: Record<string, string>;
  /** A status of OTLP: 0 unset, 2 error. */
  readonly status: number;
}

/** The spans of an ExportTraceServiceRequest (opentelemetry-proto, trace/v1). */
function spansIn(request: Uint8Array): SeenSpan[] {
  return parts(fieldsOf(request), 1).flatMap((resourceSpans) => {
    const [resource = new Map()] = parts(resourceSpans, 1);
    const spans = parts(resourceSpans, 2).flatMap((scope) => parts(scope, 2));
    return spans.map((span) => ({
      resource: attributesOf(resource, 1),
      name: text(span, 5),
      traceId: text(span, 1, "hex"),
      parent: text(span, 4, "hex"),
      attributes: attributesOf(span, 9),
      status: Number(parts(span, 15)[0]?.get(3)?.[0] ?? 0n),
    }));
  });
}

class Collector {
  readonly spans: SeenSpan[] = [];
  /** Answers with an error after which nobody tries again. */
  refuses = false;
  readonly #server = new grpc.Server();
  #onSpans: () => void = () => {};
  address = "";

  async start(): Promise<void> {
    const handler: grpc.UntypedServiceImplementation = {
      export: (call: { request: Buffer }, answer: grpc.sendUnaryData<Buffer>) => {
        if (this.refuses) {
          answer({ code: grpc.status.INVALID_ARGUMENT, details: "not wanted" });
          return;
        }
        this.spans.push(...spansIn(call.request));
        this.#onSpans();
        answer(null, Buffer.alloc(0));
      },
    };
    const form = { requestStream: false, responseStream: false, path: exportPath };
    const codec = { requestSerialize: same, responseSerialize: same };
    const decoding = { requestDeserialize: same, responseDeserialize: same };
    this.#server.addService({ export: { ...form, ...codec, ...decoding } }, handler);
    const insecure = grpc.ServerCredentials.createInsecure();
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync("127.0.0.1:0", insecure, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.address = `127.0.0.1:${port}`;
  }

  /** Resolves when so many spans have come: on a busy machine the last batch may outlast the server. */
  has(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onSpans = () => {
        if (this.spans.length >= count) resolve();
      };
      this.#onSpans();
    });
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

type Logged = readonly [message: string, fields: unknown];

async function startTraced(
  name: string,
  more: Readonly<Record<string, string>>,
): Promise<{ server: RunningServer; endpoint: string; logged: Logged[] }> {
  const [client, peer] = (await freePorts("127.0.0.1", 2)) as [number, number];
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const flags = {
    "data-dir": join(folder, name),
    "listen-client-urls": url(client),
    "advertise-client-urls": url(client),
    "listen-peer-urls": url(peer),
    "initial-advertise-peer-urls": url(peer),
    "initial-cluster": `default=${url(peer)}`,
    "enable-distributed-tracing": "true",
    ...more,
  };
  const logged: Logged[] = [];
  const server = await serve(
    resolveConfig(new Map(Object.entries(flags))),
    (_level, message, fields) => logged.push([message, fields]),
  );
  await server.ready;
  return { server, endpoint: `127.0.0.1:${client}`, logged };
}

function metadataOf(traceparent: string | undefined): grpc.Metadata {
  const metadata = new grpc.Metadata();
  if (traceparent !== undefined) metadata.set("traceparent", traceparent);
  return metadata;
}

function unary(
  client: grpc.Client,
  path: string,
  message: Uint8Array,
  parent?: string,
): Promise<number> {
  return new Promise((resolve) => {
    const done = (error: grpc.ServiceError | null): void => resolve(error?.code ?? 0);
    client.makeUnaryRequest(path, same, same, Buffer.from(message), metadataOf(parent), done);
  });
}

const put = PutRequest.encode(
  complete(PutRequest, { key: bytes("k"), value: bytes("v") }),
).finish();
/** Watches the key "k". */
const watchRequest = Buffer.of(0x0a, 3, 0x0a, 1, 0x6b);
const sampled = `00-${traceId}-${callerSpan}-01`;

test("a Put, a refused call, a stream and a JSON request arrive as spans below their callers'", async () => {
  const collector = new Collector();
  await collector.start();
  const { server, endpoint } = await startTraced("one", {
    "distributed-tracing-address": collector.address,
    "distributed-tracing-service-name": "store",
    "distributed-tracing-instance-id": "member-7",
  });
  const client = new grpc.Client(endpoint, grpc.credentials.createInsecure());
  const kv = "/etcdserverpb.KV";
  expect(await unary(client, `${kv}/Put`, put, sampled)).toBe(0);
  expect(await unary(client, `${kv}/Put`, new Uint8Array(0), sampled)).toBe(3);
  // The rate is 0 and no caller is traced: no spans.
  expect(await unary(client, `${kv}/Put`, put)).toBe(0);
  expect(await unary(client, `${kv}/Put`, put, sampled.replace(/1$/, "0"))).toBe(0);
  const watch = client.makeBidiStreamRequest(
    "/etcdserverpb.Watch/Watch",
    same,
    same,
    metadataOf(sampled),
  );
  const watchEnd = new Promise((resolve) => watch.on("error", resolve));
  const created = new Promise((resolve) => watch.once("data", resolve));
  watch.write(watchRequest);
  await created;
  const headers = { "Grpc-Metadata-Traceparent": sampled };
  const body = '{"key":"aw=="}';
  const json = await fetch(`http://${endpoint}/v3/kv/range`, { method: "POST", headers, body });
  expect(json.status).toBe(200);
  watch.cancel();
  await watchEnd;
  // The server has seen the cancellation before it answers what came behind it.
  expect(await unary(client, `${kv}/Put`, put)).toBe(0);
  client.close();
  // A stop sends what is left.
  await server.stop();
  await collector.has(4);
  collector.stop();
  const below = { traceId, parent: callerSpan, status: 0 };
  const resource = { "service.name": "store", "service.instance.id": "member-7" };
  const span = (service: string, method: string, code: string) => ({
    ...below,
    resource,
    name: `etcdserverpb.${service}/${method}`,
    attributes: {
      "rpc.system": "grpc",
      "rpc.service": `etcdserverpb.${service}`,
      "rpc.method": method,
      "rpc.grpc.status_code": code,
    },
  });
  const byName = (one: SeenSpan, other: SeenSpan): number =>
    `${one.name}${one.attributes["rpc.grpc.status_code"]}` <
    `${other.name}${other.attributes["rpc.grpc.status_code"]}`
      ? -1
      : 1;
  expect(collector.spans.sort(byName)).toEqual([
    span("KV", "Put", "0"),
    span("KV", "Put", "3"),
    span("KV", "Range", "0"),
    span("Watch", "Watch", "1"),
  ]);
}, 30_000);

test("a rate of a million traces every call", async () => {
  const collector = new Collector();
  await collector.start();
  const rate = { "distributed-tracing-sampling-rate": "1000000" };
  const address = { "distributed-tracing-address": collector.address };
  const { server, endpoint, logged } = await startTraced("two", { ...rate, ...address });
  const client = new grpc.Client(endpoint, grpc.credentials.createInsecure());
  for (let at = 0; at < 3; at++) await unary(client, "/etcdserverpb.KV/Put", put);
  client.close();
  await server.stop();
  await collector.has(3);
  collector.stop();
  expect(collector.spans.map(({ parent, resource }) => [parent, resource])).toEqual(
    Array(3).fill(["", { "service.name": "etcd" }]),
  );
  expect(new Set(collector.spans.map((span) => span.traceId)).size).toBe(3);
  expect(logged.filter(([message]) => message.includes("collector"))).toEqual([]);
}, 30_000);

test("a collector that refuses: calls work, and the log tells", async () => {
  const collector = new Collector();
  await collector.start();
  collector.refuses = true;
  const address = { "distributed-tracing-address": collector.address };
  const { server, endpoint, logged } = await startTraced("three", address);
  const client = new grpc.Client(endpoint, grpc.credentials.createInsecure());
  expect(await unary(client, "/etcdserverpb.KV/Put", put, sampled)).toBe(0);
  client.close();
  await server.stop();
  await expect
    .poll(() => logged)
    .toContainEqual([
      "cannot send spans to the collector; they are lost",
      expect.objectContaining({ address: collector.address, "failed-before": 0 }),
    ]);
  collector.stop();
}, 30_000);

test("no collector: calls work, and a stop does not wait for it", async () => {
  const [nobody] = (await freePorts("127.0.0.1", 1)) as [number];
  const address = { "distributed-tracing-address": `127.0.0.1:${nobody}` };
  const { server, endpoint } = await startTraced("four", address);
  const client = new grpc.Client(endpoint, grpc.credentials.createInsecure());
  expect(await unary(client, "/etcdserverpb.KV/Put", put, sampled)).toBe(0);
  client.close();
  const began = performance.now();
  await server.stop();
  // OpenTelemetry would try for 10 s.
  expect(performance.now() - began).toBeLessThan(8_000);
}, 30_000);
