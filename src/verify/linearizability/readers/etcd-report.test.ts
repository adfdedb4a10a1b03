/**
 * Reports of etcd's robustness tests, made by hand after tests/robustness/report/client.go and
 * tests/robustness/model of etcd-io/etcd: what is read, what is found wrong, which errors name what.
 */
import { describe, expect, test } from "vitest";
import { checkEtcdReport, checkHistory } from "../check-history.js";
import { readEtcdOperations } from "./etcd-operations-reader.js";
import { readEtcdWatches } from "./etcd-watch-reader.js";

type Json = Readonly<Record<string, unknown>>;

const unlimited = { bytesMax: Number.POSITIVE_INFINITY };
const lease = "7587894857400123457";
/** In a file an id is a number. */
const leaseText = /"LeaseID": ?"(\d+)"/g;
/** 20 bytes: the recorder keeps FNV-1a of it in puts and reads, but not in transactions. */
const long = "01234567890123456789";
const longHash = 2945867837;

function value(text: string): Json {
  return text === "" ? {} : { Value: text };
}
const put = (key: string, text: string, more: Json = {}): Json => ({
  Type: "put-operation",
  Range: { Start: "", End: "", Limit: 0, KeysOnly: false },
  Put: { Key: key, Value: value(text), LeaseID: 0, ...more },
  Delete: { Key: "" },
});
const remove = (key: string): Json => ({ Type: "delete-operation", Delete: { Key: key } });
const read = (key: string): Json => ({ Type: "range-operation", Range: { Start: key, End: "" } });
const txn = (success: readonly Json[], conditions: Json[] | null = null, failure: Json[] = []) => ({
  ...{ Type: "txn", LeaseGrant: null, LeaseRevoke: null, Range: null },
  Txn: {
    Conditions: conditions,
    OperationsOnSuccess: success,
    OperationsOnFailure: failure.length === 0 ? null : failure,
  },
});
const range = (start: string, end: string, revision = 0): Json => ({
  Type: "range",
  Range: { Start: start, End: end, Limit: 0, KeysOnly: false, Revision: revision },
});
const kv = (key: string, text: string, mod: number, version: number): Json => ({
  ...{ Key: key, Value: value(text), ModRevision: mod, Version: version },
});
const rangeAnswer = (revision: number, ...kvs: readonly Json[]): Json => ({
  ...{
    Range: { KVs: kvs, Count: kvs.length },
    Revision: revision,
    "member-id": "8e9e05c52164694d",
  },
});
const txnAnswer = (revision: number, results: readonly Json[], isFailure = false): Json => ({
  Txn: { Failure: isFailure, Results: results },
  ...{ Revision: revision, "member-id": "8e9e05c52164694d" },
});
const done = { KVs: null, Count: 0, Deleted: 0 };
const error = { Persisted: false, PersistedRevision: 0, Error: "context deadline exceeded" };

let clockNs = 0;
/** One call after the other; `client` only names them. */
const operation = (client: number, input: Json, output: Json): Json => {
  clockNs += 10_000;
  return { ClientId: client, Input: input, Call: clockNs, Output: output, Return: clockNs + 5_000 };
};
/** As Go's MarshalIndent writes them. */
const indented = (objects: readonly Json[]): string =>
  objects
    .map((one) => `${JSON.stringify(one, undefined, 2).replace(leaseText, '"LeaseID": $1')}\n`)
    .join("");

function operations(changes: Readonly<Record<string, Json>> = {}): readonly Json[] {
  clockNs = 0;
  const answer = (name: string, right: Json): Json => changes[name] ?? right;
  return [
    operation(1, txn([put("a", "1")]), txnAnswer(2, [done])),
    operation(1, range("a", ""), answer("first", rangeAnswer(2, kv("a", "1", 2, 1)))),
    operation(2, { Type: "leaseGrant", LeaseGrant: { LeaseID: lease } }, { Revision: 2 }),
    operation(2, txn([put("b", "2", { LeaseID: lease })]), txnAnswer(3, [done])),
    operation(3, txn([put("a", "lost")]), error),
    operation(
      2,
      txn([put("a", long)], [{ Key: "a", ExpectedRevision: 4, ExpectedVersion: 0 }], [read("a")]),
      txnAnswer(5, [done]),
    ),
    operation(
      2,
      range("a", "c"),
      answer(
        "list",
        rangeAnswer(5, { ...kv("a", "", 5, 3), Value: { Hash: longHash } }, kv("b", "2", 3, 1)),
      ),
    ),
    operation(2, { Type: "leaseRevoke", LeaseRevoke: { LeaseID: lease } }, { Revision: 6 }),
    operation(2, { Type: "compact", Compact: { Revision: 3 } }, { Compact: {}, Revision: -1 }),
    operation(
      2,
      { Type: "compact", Compact: { Revision: 2 } },
      { ClientError: "mvcc: required revision has been compacted", Revision: 0 },
    ),
    operation(2, { Type: "defragment", Defragment: {} }, { Defragment: {}, Revision: -1 }),
    operation(
      2,
      range("a", "c", 4),
      answer("old", rangeAnswer(6, kv("a", "lost", 4, 2), kv("b", "2", 3, 1))),
    ),
    operation(2, txn([remove("a")]), txnAnswer(7, [{ KVs: null, Count: 0, Deleted: 1 }])),
    operation(2, range("a", "c"), answer("last", rangeAnswer(7))),
  ];
}

const shown = (type: "put" | "delete", key: string, revision: number, more: Json = {}): Json => ({
  ...{ Type: `${type}-operation`, Key: key, Value: {}, Revision: revision, ...more },
});
function watch(change: (events: Json[]) => Json[] = (events) => events): readonly Json[] {
  const events = change([
    shown("put", "a", 2, { Value: value("1"), IsCreate: true }),
    shown("put", "b", 3, { Value: value("2"), IsCreate: true }),
    shown("put", "a", 4, {
      Value: value("lost"),
      PrevValue: { Value: value("1"), ModRevision: 2, Version: 1 },
    }),
    shown("put", "a", 5, { Value: { Hash: longHash } }),
    shown("delete", "b", 6),
    shown("delete", "a", 7),
  ]);
  const request = {
    Key: "",
    Revision: 2,
    WithPrefix: true,
    WithProgressNotify: true,
    WithPrevKV: true,
  };
  return [
    {
      Request: request,
      Responses: [
        { Revision: 1, Time: 3_000 },
        ...events.map((event) => ({ Events: [event], Revision: event.Revision, Time: 150_000 })),
        { IsProgressNotify: true, Revision: 7, Time: 160_000 },
      ],
    },
  ];
}

function check(ops: readonly Json[], watches: readonly Json[] = watch()) {
  return checkEtcdReport(
    [
      { path: "client-2/operations.json", text: indented(ops) },
      { path: "client-7/watch.json", text: indented(watches) },
      { path: "server-m1/other.json", text: "not read" },
    ],
    unlimited,
  );
}

describe("a report of etcd's robustness tests", () => {
  test("that is right is called so, whatever the recorder left out", () => {
    expect(check(operations())).toMatchObject({
      ...{ format: "etcd", model: "etcd", verdict: "linearizable", operations: 14 },
      etcd: { watches: 1 },
    });
  });

  test("without indentation, and operations alone as one file", () => {
    const lines = operations().map((one) =>
      JSON.stringify(one).replace(leaseText, '"LeaseID": $1'),
    );
    const alone = checkHistory(lines.join("\n"), unlimited);
    expect(alone).toMatchObject({ format: "etcd", verdict: "linearizable", operations: 14 });
  });

  const stale = { last: rangeAnswer(6, { ...kv("a", "", 5, 3), Value: { Hash: longHash } }) };
  test.each([
    ["a read from before its call", stale, /comes from before its call/],
    ["another value", { first: rangeAnswer(2, kv("a", "9", 2, 1)) }, /shows key "a"/],
    ["another version", { first: rangeAnswer(2, kv("a", "1", 2, 4)) }, /./],
    ["an old revision as it never was", { old: rangeAnswer(6, kv("b", "2", 3, 1)) }, /./],
    [
      "another long value",
      { list: rangeAnswer(5, kv("a", "short", 5, 3), kv("b", "2", 3, 1)) },
      /./,
    ],
  ])("%s is wrong", (_, changes, text) => {
    const { verdict, etcd } = check(operations(changes), []);
    expect({ verdict, texts: etcd?.texts }).toEqual({
      verdict: "not",
      texts: expect.arrayContaining([expect.stringMatching(text)]),
    });
  });

  const without = (revision: number) => (events: Json[]) =>
    events.filter((event) => event.Revision !== revision);
  const withEvent = (revision: number, more: Json) => (events: Json[]) =>
    events.map((event) => (event.Revision === revision ? { ...event, ...more } : event));
  test.each([
    ["an event that is missing", without(5), /reliable: .*never tells of/],
    ["a deletion that is missing at the end", without(7), /reliable: .*never tells of/],
    ["events out of order", (events: Json[]) => events.toReversed(), /ordered: /],
    ["a creation that is told as an update", withEvent(3, { IsCreate: false }), /is-create: /],
    ["another value", withEvent(3, { Value: value("7") }), /reliable: /],
    [
      "another previous value",
      withEvent(4, { PrevValue: { Value: value("0"), ModRevision: 2, Version: 1 } }),
      /prev-kv: /,
    ],
  ])("a watch with %s is wrong", (_, change, text) => {
    // The lost put got its answer here, so that its place does not depend on the watch.
    const ops = operations().map((one) => {
      return one.ClientId === 3 ? { ...one, Output: txnAnswer(4, [done]) } : one;
    });
    const { verdict, etcd } = check(ops, watch(change));
    expect({ verdict, texts: etcd?.texts.join("\n") }).toEqual({
      verdict: "not",
      texts: expect.stringMatching(text),
    });
  });

  test("ids of leases keep all their 64 bits; a long value is its hash everywhere", () => {
    const read = readEtcdOperations(indented(operations()));
    expect(read[2]?.request).toEqual({ kind: "leaseGrant", id: lease, ttl: 0 });
    expect(read[5]?.request).toMatchObject({ success: [{ value: `#${longHash.toString(16)}` }] });
  });

  test("a bad line is named, with its file", () => {
    const text = indented(operations());
    const lines = text.split("\n");
    const at = lines.findIndex((line) => line.includes('"Call"'));
    const broken = (line: string): string => lines.with(at, line).join("\n");
    const failure = (own: string): string => {
      try {
        checkEtcdReport([{ path: "client-2/operations.json", text: own }], unlimited);
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    };
    const file = "client-2/operations.json, line 1: ";
    expect(failure(broken('  "Call": "soon",'))).toBe(`${file}Call is not a whole number: "soon"`);
    expect(failure(broken('  "Call": 10000,,'))).toMatch(/^client-2\/.*line 1: this is not JSON: /);
    expect(failure(text.slice(0, -20))).toMatch(
      /line \d{3}: the text ends before this object does/,
    );
    expect(failure(text.replace('"txn"', '"watch"'))).toBe(
      `${file}Input has the unknown Type "watch"`,
    );
    expect(failure("[]")).toBe(`${file}an object begins with "{", not with "[]"`);
    expect(failure("")).toBe("line 1: no client of the report has operations");
    expect(() => checkHistory(indented(watch()), unlimited)).toThrow(
      /watches cannot be judged without operations: name the folder/,
    );
    const of = { client: 1, name: "client-1", firstId: 1 };
    expect(() => readEtcdWatches('\n{"Responses": []}', of)).toThrow(/line 2: .* has no Request/);
  });
});
