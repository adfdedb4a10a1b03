import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rpcMessages } from "./descriptors.js";
import { JsonObjects, parseJson } from "./json-reader.js";
import { JsonWriter } from "./json-writer.js";
import { isGatewayPath, rpcOf } from "./routes.js";

const messages = rpcMessages();
const bytes = fc.uint8Array({ maxLength: 40 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const header = fc.record({
  clusterId: uint64,
  memberId: uint64,
  revision: int64,
  raftTerm: uint64,
});
const keyValue = fc.record({
  key: bytes,
  createRevision: int64,
  modRevision: int64,
  version: int64,
  value: bytes,
  lease: int64,
});
const range = fc.record({ header, kvs: fc.array(keyValue), more: fc.boolean(), count: int64 });

/** Messages by RPC, with every kind of field that answers have. */
const answers: Readonly<Record<string, fc.Arbitrary<object>>> = {
  "/etcdserverpb.KV/Range": range,
  "/etcdserverpb.KV/Txn": fc.record({
    header,
    succeeded: fc.boolean(),
    responses: fc.array(range.map((value) => ({ response: { case: "responseRange", value } }))),
  }),
  "/etcdserverpb.Watch/Watch": fc.record({
    header,
    watchId: int64,
    canceled: fc.boolean(),
    cancelReason: fc.string({ unit: "grapheme" }),
    events: fc.array(fc.record({ type: fc.constantFrom(0, 1, 7), kv: keyValue })),
  }),
  "/etcdserverpb.Cluster/MemberList": fc.record({
    header,
    members: fc.array(
      fc.record({ ID: uint64, name: fc.string(), peerURLs: fc.array(fc.string()) }),
    ),
  }),
  "/etcdserverpb.Maintenance/HashKV": fc.record({ hash: fc.nat(2 ** 32 - 1) }),
};

function written(writer: JsonWriter, charactersMin: number): string {
  let text = "";
  for (;;) {
    const piece = writer.next(charactersMin);
    if (piece === undefined) return text;
    text += piece;
  }
}

describe("answers as JSON", () => {
  test.each(Object.keys(answers))("of %s are what the library for protobuf writes", (path) => {
    const { output } = messages.get(path) ?? expect.fail(`${path} has no messages`);
    fc.assert(
      fc.property(
        answers[path] as fc.Arbitrary<object>,
        fc.integer({ min: 1, max: 300 }),
        (made, min) => {
          const encoded = toBinary(output, create(output, made as Record<string, unknown>));
          const text = written(new JsonWriter(output, encoded), min);
          // Fields on the wire are written, except a default that stands there.
          const wanted = toJson(output, fromBinary(output, encoded), { useProtoFieldName: true });
          expect(JSON.parse(text)).toEqual(wanted);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("come in pieces of about the length that was asked for", () => {
    const { output } = messages.get("/etcdserverpb.KV/Range") ?? expect.fail();
    const kvs = Array.from({ length: 500 }, () => ({
      key: Buffer.from("key"),
      value: Buffer.alloc(30),
    }));
    const writer = new JsonWriter(output, toBinary(output, create(output, { kvs })));
    const lengths: number[] = [];
    for (let piece = writer.next(1_000); piece !== undefined; piece = writer.next(1_000)) {
      lengths.push(piece.length);
    }
    expect(Math.max(...lengths)).toBeLessThan(1_100);
    expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThanOrEqual(1_000);
  });
});

describe("objects of a body", () => {
  test("come out whole, however the bytes were cut and what stands between them", () => {
    const object = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue());
    const space = fc.constantFrom("", " ", "\r\n", "\t\n ");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(object, space)),
        fc.integer({ min: 1, max: 50 }),
        (objects, step) => {
          const texts = objects.map(([value]) => JSON.stringify(value));
          const body = Buffer.from(texts.map((text, at) => text + objects[at]?.[1]).join(""));
          const reader = new JsonObjects(body.length + 1);
          const found: string[] = [];
          for (let at = 0; at < body.length; at += step) {
            for (const read of reader.read(body.subarray(at, at + step))) {
              found.push(read.text);
              expect(parseJson(read)).toEqual(JSON.parse(read.text));
            }
          }
          expect(found).toEqual(texts);
          expect(reader.isAmid).toBe(false);
        },
      ),
    );
  });

  test("that are too long are refused before they are whole", () => {
    const reader = new JsonObjects(100);
    const read = (text: string): unknown[] => [...reader.read(Buffer.from(text))];
    expect(read(`{"key":"${"x".repeat(60)}`)).toEqual([]);
    expect(() => read("x".repeat(60))).toThrow(RangeError);
  });

  test.each<[string, string | Buffer]>([
    ["a field twice", '{"key":"YQ==","key":"Yg=="}'],
    ["a field twice further inside", '{"a":[{"b":":"},{"c":1,"d":{},"c":2}]}'],
    ["half a surrogate pair", '{"key":"\\ud800"}'],
    ["half a surrogate pair as a name", '{"\\udc00":1}'],
    ["bytes that are not UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ["brackets without end", `{"a":${"[".repeat(20_000)}${"]".repeat(20_000)}}`],
    ["a comma too many", '{"a":1,}'],
  ])("with %s are refused", (_name, text) => {
    const read = (): unknown[] =>
      [...new JsonObjects(100_000).read(Buffer.from(text))].map((object) => parseJson(object));
    expect(read).toThrow(SyntaxError);
  });

  test.each(["[]", "null", '"text"', "5", "}"])("%s is none", (text) => {
    expect(() => [...new JsonObjects(100).read(Buffer.from(text))]).toThrow(SyntaxError);
  });
});

describe("routes", () => {
  test("every path leads to an RPC that proto/ declares, auth aside until it does", () => {
    for (const path of ["/v3/kv/range", "/v3/lock/lock", "/v3/election/observe", "/v3/watch"]) {
      expect(messages.has(rpcOf(path) ?? ""), path).toBe(true);
    }
    expect(rpcOf("/v3beta/kv/put")).toBe("/etcdserverpb.KV/Put");
    expect(rpcOf("/v3/kv/nothing")).toBeUndefined();
    expect(isGatewayPath("/version")).toBe(false);
  });
});
