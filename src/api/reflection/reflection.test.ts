import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { Code } from "../../base/errors.js";
import { gateMethods } from "../../member/gate/gate.fixture.js";
import type { Member } from "../../member/types.js";
import { nodeHash } from "../../platform/node/hash.js";
import {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../../wire/gen/grpc/reflection/v1/reflection.js";
import { FakeStream } from "../call.fixture.js";
import { allMethods } from "../services.js";
import { reflectionMethods } from "./reflection.js";

type Asked = NonNullable<ServerReflectionRequest["message_request"]>;

const member = gateMethods() as unknown as Member;
const others = allMethods(member, nodeHash);
const methods = reflectionMethods(member, others);

/** Asks several things on one stream. */
class ReflectionStream extends FakeStream {
  ask: (message: Uint8Array) => void = () => {};

  constructor(room = 100) {
    super(new Uint8Array(0), room);
  }

  override onMessage(fn: (message: Uint8Array) => void): void {
    this.ask = fn;
  }
}

function open(
  version = "v1",
  room = 100,
): (asked?: Asked) => ServerReflectionResponse | number | undefined {
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const method = methods.find((each) => each.path === path);
  if (method?.kind !== "bidi") throw new Error(`no stream ${path}`);
  const stream = new ReflectionStream(room);
  method.handle(stream);
  return (asked) => {
    const request = { host: "here", ...(asked && { message_request: asked }) };
    stream.ask(ServerReflectionRequest.encode(request as ServerReflectionRequest).finish());
    const answer = stream.sent.pop();
    if (answer === undefined) return stream.status?.code;
    const response = ServerReflectionResponse.decode(answer);
    expect(response).toMatchObject({ valid_host: "here", original_request: request });
    return response;
  };
}

function filesIn(response: ReturnType<ReturnType<typeof open>>): string[] {
  if (typeof response !== "object") throw new Error(`no answer but ${response}`);
  const answer = response.message_response;
  if (answer?.$case !== "file_descriptor_response") throw new Error(JSON.stringify(answer));
  return answer.value.file_descriptor_proto.map(
    (bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name,
  );
}

test("no reflection unless it is asked for", () => {
  expect(others.filter(({ path }) => path.includes("reflection"))).toEqual([]);
});

test.each(["v1", "v1alpha"])("%s lists all services, sorted", (version) => {
  const services = others.map(({ path }) => path.split("/")[1] ?? "");
  const own = ["v1", "v1alpha"].map((each) => `grpc.reflection.${each}.ServerReflection`);
  const names = [...new Set([...services, ...own])].sort();
  expect(names).toContain("etcdserverpb.KV");
  expect(open(version)({ $case: "list_services", value: "" })).toMatchObject({
    message_response: { value: { service: names.map((name) => ({ name })) } },
  });
});

test.each([
  ["etcdserverpb.KV", "rpc.proto"],
  ["etcdserverpb.KV.Put", "rpc.proto"],
  ["etcdserverpb.PutRequest", "rpc.proto"],
  ["etcdserverpb.PutRequest.key", "rpc.proto"],
  ["etcdserverpb.RangeRequest.SortOrder", "rpc.proto"],
  ["etcdserverpb.RangeRequest.DESCEND", "rpc.proto"],
  ["etcdserverpb.Compare.target_union", "rpc.proto"],
  ["mvccpb.Event", "kv.proto"],
  ["authpb.Permission.Type", "auth.proto"],
  ["grpc.health.v1.Health.Watch", "grpc/health/v1/health.proto"],
  ["grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto"],
])("%s stands in %s", (value, file) => {
  expect(filesIn(open()({ $case: "file_containing_symbol", value }))[0]).toBe(file);
});

test("every method has a descriptor", () => {
  const ask = open();
  for (const { path } of [...others, ...methods]) {
    const value = path.slice(1).replace("/", ".");
    expect(filesIn(ask({ $case: "file_containing_symbol", value })).length).toBeGreaterThan(0);
  }
});

test("a file comes with its imports, each once a stream; the file itself whenever it is asked for", () => {
  const ask = open();
  const byName = (value: string) => filesIn(ask({ $case: "file_by_filename", value }));
  expect(byName("lock.proto")).toEqual(["lock.proto", "rpc.proto", "auth.proto", "kv.proto"]);
  expect(byName("election.proto")).toEqual(["election.proto"]);
  expect(byName("rpc.proto")).toEqual(["rpc.proto"]);
});

test.each<[string, Asked]>([
  ["a file", { $case: "file_by_filename", value: "nothing.proto" }],
  ["a symbol", { $case: "file_containing_symbol", value: "etcdserverpb.KV.Nothing" }],
  ["a type", { $case: "all_extension_numbers_of_type", value: "etcdserverpb.Nothing" }],
  [
    "an extension",
    {
      $case: "file_containing_extension",
      value: { containing_type: "etcdserverpb.PutRequest", extension_number: 7 },
    },
  ],
])("%s that does not exist: NotFound, and the stream goes on", (_, asked) => {
  const ask = open();
  for (let times = 0; times < 2; times++) {
    expect(ask(asked)).toMatchObject({
      message_response: { $case: "error_response", value: { error_code: Code.notFound } },
    });
  }
});

test("a message without extensions has none; a request for nothing ends the stream", () => {
  const ask = open();
  const value = "etcdserverpb.PutRequest";
  expect(ask({ $case: "all_extension_numbers_of_type", value })).toMatchObject({
    message_response: { value: { base_type_name: value, extension_number: [] } },
  });
  expect(ask()).toBe(Code.invalidArgument);
});

test("a client that leaves its answers unread gets no more of them", () => {
  const ask = open("v1", 2);
  const list: Asked = { $case: "list_services", value: "" };
  expect([ask(list), ask(list)]).toEqual([expect.anything(), expect.anything()]);
  expect(ask(list)).toBe(Code.resourceExhausted);
});
