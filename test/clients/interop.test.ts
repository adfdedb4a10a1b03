/**
 * HTTP/2 and gRPC by others: curl, nghttp, h2load, Debian's python3-grpcio and grpc-js, each with
 * what it can do of unary calls, streams, large messages, cancel, deadline and reflection. A tool that is not
 * installed is skipped; .ci/run installs them all.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { complete } from "../../src/cli/ctl/method.js";
import {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../../src/wire/gen/grpc/reflection/v1/reflection.js";
import * as rpc from "../../src/wire/gen/rpc.js";
import { bytes, EtcdClient } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import { Watcher } from "../support/watcher.js";

const python = "/usr/bin/python3";
const has = (command: string, ...args: string[]): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;

/** 75 of them are more than 100 MiB. */
const value = Buffer.alloc(1_400 * 1_024, 5);
const values = 75;
const largeRange = { key: bytes("large/"), range_end: bytes("large0") };
const folder = mkdtempSync(path.join(tmpdir(), "lockstep-interop-"));
let cluster: Cluster;
let client: EtcdClient;

beforeAll(async () => {
  cluster = await Cluster.start({ kind: "lockstep", flags: ["--enable-grpc-reflection"] });
  client = new EtcdClient(cluster.first.endpoint);
  for (let at = 0; at < values; at++) await client.put({ key: bytes(`large/${at}`), value });
}, 120_000);
afterAll(async () => {
  client?.close();
  await cluster?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Standard output of a command that must succeed. */
function run(command: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    const output: Buffer[] = [];
    child.stdout.on("data", (part: Buffer) => output.push(part));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(Buffer.concat(output).toString());
      else reject(new Error(`${command} ended with ${code}: ${Buffer.concat(output)}`));
    });
    // One that reads no input may be gone before it has come.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

function messageFile(name: string, message: Uint8Array): string {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  const file = path.join(folder, name);
  writeFileSync(file, Buffer.concat([prefix, message]));
  return file;
}

describe.skipIf(!has("curl", "--version"))("curl", () => {
  test.each([
    ["HTTP/1.1", "--http1.1", "1.1"],
    ["HTTP/1.1 that offers HTTP/2", "--http2", "1.1"],
    ["HTTP/2 with prior knowledge", "--http2-prior-knowledge", "2"],
  ])("%s", async (_name, flag, version) => {
    const url = `http://${cluster.first.endpoint}`;
    const form = ["-s", "-m", "20", flag, "-w", " %{http_version} %{http_code}"];
    expect(await run("curl", [...form, `${url}/health`])).toContain(`"true"`);
    expect(await run("curl", [...form, `${url}/version`])).toMatch(
      new RegExp(`etcdserver.* ${version.replace(".", "\\.")} 200$`),
    );
    const posted = await run("curl", [...form, "-d", "x".repeat(100_000), `${url}/nowhere`]);
    expect(posted).toMatch(/ 404$/);
  });
});

describe.skipIf(!has("nghttp", "--version"))("nghttp", () => {
  test("many requests, priorities and all", async () => {
    const url = `http://${cluster.first.endpoint}/version`;
    const output = await run("nghttp", ["-nv", "-m", "50", "-t", "20", url]);
    expect(output.match(/:status: 200/g)).toHaveLength(50);
    expect(output).not.toMatch(/recv (RST_STREAM|GOAWAY)/);
  });
});

describe.skipIf(!has("h2load", "--version"))("h2load", () => {
  test.each([
    ["as it comes", []],
    ["with small windows", ["-w", "10", "-W", "10"]],
    ["with small header tables", ["--header-table-size=0", "--encoder-header-table-size=0"]],
  ])("calls on many streams, %s", async (_name, more) => {
    const message = rpc.PutRequest.encode(
      complete(rpc.PutRequest, { key: bytes("load"), value: bytes("x") }),
    ).finish();
    const args = ["-n", "2000", "-c", "5", "-m", "20", "-d", messageFile("put", message), ...more];
    const fields = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
    const url = `http://${cluster.first.endpoint}/etcdserverpb.KV/Put`;
    const output = await run("h2load", [...args, ...fields, url]);
    expect(output).toMatch(/2000 succeeded, 0 failed, 0 errored/);
    expect(output).toMatch(/status codes: 2000 2xx/);
  });

  test("large answers through small windows", async () => {
    const message = rpc.RangeRequest.encode(
      complete(rpc.RangeRequest, { key: bytes("large/1") }),
    ).finish();
    const args = ["-n", "20", "-c", "2", "-m", "5", "-w", "16", "-W", "17"];
    const fields = ["-H", "content-type: application/grpc", "-d", messageFile("range", message)];
    const url = `http://${cluster.first.endpoint}/etcdserverpb.KV/Range`;
    const output = await run("h2load", [...args, ...fields, url]);
    expect(output).toMatch(/20 succeeded, 0 failed, 0 errored/);
    expect(Number(/\((\d+)\) data/.exec(output)?.[1])).toBeGreaterThan(20 * value.length);
  });
});

describe.skipIf(!has(python, "-c", "import grpc"))("python3-grpcio", () => {
  test("unary, streams, a large value, 100 MiB, cancel, deadline", async () => {
    const hex = (message: Uint8Array): string => Buffer.from(message).toString("hex");
    const put = complete(rpc.PutRequest, { key: bytes("py"), value });
    const range = complete(rpc.RangeRequest, { key: bytes("py") });
    const create = complete(rpc.WatchCreateRequest, { key: bytes("py") });
    const request_union = { $case: "create_request" as const, value: create };
    const given = {
      endpoint: cluster.first.endpoint,
      put: hex(rpc.PutRequest.encode(put).finish()),
      range: hex(rpc.RangeRequest.encode(range).finish()),
      large: hex(rpc.RangeRequest.encode(complete(rpc.RangeRequest, largeRange)).finish()),
      watch: hex(rpc.WatchRequest.encode({ request_union }).finish()),
    };
    const script = fileURLToPath(new URL("./grpcio.py", import.meta.url));
    const seen = JSON.parse(await run(python, [script], JSON.stringify(given)));
    const answered = rpc.RangeResponse.decode(Buffer.from(seen.range, "hex"));
    expect(answered.kvs[0]?.value.equals(value)).toBe(true);
    expect(rpc.WatchResponse.decode(Buffer.from(seen.created, "hex")).created).toBe(true);
    expect(seen.large).toBeGreaterThan(100 * 1_024 * 1_024);
    expect(seen).toMatchObject({
      put: true,
      event: true,
      cancel: "CANCELLED",
      deadline: "DEADLINE_EXCEEDED",
      unknown: ["UNIMPLEMENTED", "unknown method Nothing for service etcdserverpb.KV"],
    });
  }, 120_000);
});

describe("grpc-js", () => {
  test("100 MiB in one answer, and small ones beside it", async () => {
    const large = client.range(largeRange, { timeoutMs: 100_000 });
    await client.put({ key: bytes("beside"), value: bytes("x") }, { timeoutMs: 60_000 });
    const { kvs } = await large;
    expect(kvs).toHaveLength(values);
    expect(kvs.every((kv) => kv.value.equals(value))).toBe(true);
  }, 120_000);

  test("a canceled watch is let go, a deadline ends a call", async () => {
    const watcher = new Watcher(client);
    watcher.create({ key: bytes("js") });
    expect((await watcher.next()).created).toBe(true);
    watcher.stream.cancel();
    await expect(watcher.next()).rejects.toMatchObject({ code: 1 });
    const late = client.range(largeRange, { timeoutMs: 1 });
    await expect(late).rejects.toMatchObject({ code: 4 });
    const { header } = await client.put({ key: bytes("js"), value: bytes("x") });
    expect(Number(header?.revision)).toBeGreaterThan(values);
  });
});

/** A client that knows nothing of the server but the address, as grpcurl does. */
describe("reflection", () => {
  const same = (bytes: Buffer): Buffer => bytes;

  function ask(
    generic: grpc.Client,
    version: string,
    asked: ServerReflectionRequest["message_request"],
  ): Promise<ServerReflectionResponse["message_response"]> {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const stream = generic.makeBidiStreamRequest(path, same, same);
    const request = { host: "", message_request: asked };
    stream.write(Buffer.from(ServerReflectionRequest.encode(request).finish()));
    stream.end();
    return new Promise((resolve, reject) => {
      let answer: ServerReflectionResponse["message_response"];
      stream.on("data", (bytes: Buffer) => {
        answer = ServerReflectionResponse.decode(bytes).message_response;
      });
      stream.on("error", reject);
      stream.on("end", () => resolve(answer));
    });
  }

  test.each(["v1", "v1alpha"])("%s: what it tells is enough for a call", async (version) => {
    const generic = new grpc.Client(cluster.first.endpoint, grpc.credentials.createInsecure());
    const listed = await ask(generic, version, { $case: "list_services", value: "" });
    const service = listed?.$case === "list_services_response" ? listed.value.service : [];
    expect(service.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["etcdserverpb.KV", "etcdserverpb.Watch", "v3lockpb.Lock"]),
    );
    const symbol = { $case: "file_containing_symbol" as const, value: "etcdserverpb.KV" };
    const answer = await ask(generic, version, symbol);
    if (answer?.$case !== "file_descriptor_response") throw new Error(JSON.stringify(answer));
    const file = answer.value.file_descriptor_proto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    // The registry wants imports first.
    const set = create(FileDescriptorSetSchema, { file: file.reverse() });
    const put = createFileRegistry(set).getService("etcdserverpb.KV")?.method.put;
    if (put === undefined) throw new Error("KV.Put is unknown");
    const value = bytes(version);
    const request = toBinary(put.input, create(put.input, { key: bytes("reflected"), value }));
    await new Promise<void>((resolve, reject) => {
      const path = `/${put.parent.typeName}/${put.name}`;
      const done = (error: Error | null): void => (error === null ? resolve() : reject(error));
      generic.makeUnaryRequest(path, same, same, Buffer.from(request), done);
    });
    generic.close();
    const { kvs } = await client.range({ key: bytes("reflected") });
    expect(kvs[0]?.value.toString()).toBe(version);
  });
});
