import { expect, test } from "vitest";
import type {
  Operation,
  OperationOutcome,
  Request,
  Watch,
  WatchResponse,
} from "../../history/types.js";
import { encodeRequest } from "../clients/client-calls.js";
import { Ghost } from "./ghost.js";
import { judgeSimHistory } from "./history-checks.js";

const fields = { put: 4, delete: 5, leaseGrant: 8, leaseRevoke: 9 };
type Logged = Extract<Request, { readonly kind: keyof typeof fields }>;

const put = (value: string, lease?: string): Logged => ({
  kind: "put",
  key: "a",
  value,
  ...(lease === undefined ? {} : { lease }),
});
const grant: Logged = { kind: "leaseGrant", id: "7", ttl: 5 };
const revoke: Logged = { kind: "leaseRevoke", id: "7" };

/** Entries as members log them, after the no-op of a new leader. */
function ghostOf(...requests: readonly Logged[]): Ghost {
  const ghost = new Ghost();
  const all = [new Uint8Array(), ...requests.map(entryOf)];
  all.forEach((data, at) => {
    const entry = { term: 1, index: at + 2, type: 0 as const, data };
    ghost.committed.set(entry.index, { entry, commitTerm: 1 });
    ghost.committedMax = entry.index;
  });
  return ghost;
}

function entryOf(request: Logged): Uint8Array {
  const { bytes } = encodeRequest(request);
  return Uint8Array.of(fields[request.kind] * 8 + 2, bytes.length, ...bytes);
}

/** The operations run one after another, 10 us each. */
function operationsOf(
  ...asked: readonly (readonly [Request, OperationOutcome])[]
): readonly Operation[] {
  return asked.map(([request, outcome], at) => {
    const times = { callUs: at * 20, returnUs: at * 20 + 10 };
    return { id: at, client: 1, member: "m1", ...times, request, outcome };
  });
}

const done = (revision: number): OperationOutcome => ({
  kind: "ok",
  revision,
  answer: { kind: "put" },
});
const lease = (revision: number, ttl = 5): OperationOutcome => ({
  kind: "ok",
  revision,
  answer: { kind: "lease", id: "7", ttl },
});
const none = (revision: number): OperationOutcome => ({
  kind: "ok",
  revision,
  answer: { kind: "none" },
});
const refused: OperationOutcome = {
  kind: "refused",
  error: "etcdserver: requested lease not found",
};

function shown(revision: number, value: string, version: number): OperationOutcome {
  const kv = { key: "a", value, create: 2, mod: revision, version };
  return { kind: "ok", revision, answer: { kind: "range", kvs: [kv], count: 1 } };
}

const read: Request = { kind: "range", key: "a" };
const localRead: Request = { ...read, serializable: true };
const writes = [
  [put("1"), done(2)],
  [put("2"), done(3)],
] as const;
const twoPuts = ghostOf(put("1"), put("2"));

function invariantsOf(
  operations: readonly Operation[],
  { ghost = twoPuts, watches = [] }: { readonly ghost?: Ghost; readonly watches?: Watch[] } = {},
): readonly string[] {
  const findings = judgeSimHistory({ operations, watches, marks: [] }, ghost);
  return findings.map(({ invariant }) => invariant);
}

test("what the log explains is accepted: new reads, old local ones, requests without an answer", () => {
  const unknown = { kind: "unknown", error: "etcdserver: request timed out" } as const;
  const operations = operationsOf(
    ...writes,
    [read, shown(3, "2", 2)],
    [localRead, shown(2, "1", 1)],
    [put("3"), unknown],
    [put("4"), unknown],
  );
  expect(invariantsOf(operations)).toEqual([]);
  expect(invariantsOf(operations, { ghost: ghostOf(put("1"), put("2"), put("4")) })).toEqual([]);
});

test("each lie has its invariant", () => {
  expect(invariantsOf(operationsOf(...writes, [read, shown(2, "1", 1)]))).toEqual(["C3"]);
  expect(invariantsOf(operationsOf(...writes, [read, shown(3, "2", 1)]))).toEqual(["C1"]);
  expect(invariantsOf(operationsOf(...writes, [localRead, shown(3, "1", 2)]))).toEqual(["C4"]);
  expect(invariantsOf(operationsOf(...writes, [put("3"), done(4)]))).toEqual(["C2"]);
  expect(invariantsOf(operationsOf(writes[0]))).toEqual(["C1"]);
  expect(invariantsOf(operationsOf(writes[0], [put("2"), refused]))).toEqual(["C2"]);
});

test("a put with a lease that is not there has no effect", () => {
  const ghost = ghostOf(put("1"), put("2", "9"), put("2"));
  const operations = operationsOf(writes[0], [put("2", "9"), refused], writes[1]);
  expect(invariantsOf(operations, { ghost })).toEqual([]);
});

test("a lease that ended by itself, was granted again and revoked: times tell whose entry is whose", () => {
  const ghost = ghostOf(grant, put("1", "7"), revoke, grant, revoke);
  const first = [
    [grant, lease(1)],
    [put("1", "7"), done(2)],
  ] as const;
  expect(
    invariantsOf(operationsOf(...first, [grant, lease(3)], [revoke, none(3)]), { ghost }),
  ).toEqual([]);
  expect(
    invariantsOf(operationsOf(...first, [revoke, none(3)], [grant, lease(3)]), { ghost }),
  ).toEqual([]);
  const renewal: Request = { kind: "leaseKeepAlive", id: "7" };
  const ended = ghostOf(grant, put("1", "7"), revoke);
  expect(invariantsOf(operationsOf(...first, [renewal, lease(2, 0)]), { ghost: ended })).toEqual(
    [],
  );
  const alive = ghostOf(grant, put("1", "7"));
  expect(invariantsOf(operationsOf(...first, [renewal, lease(2, 0)]), { ghost: alive })).toEqual([
    "C1",
  ]);
});

test("watches are judged by the same log", () => {
  const event = { type: "put", key: "a", value: "1", create: 2, mod: 2, version: 1 } as const;
  const response = { atUs: 1, revision: 3, events: [event] };
  const watch = (...responses: readonly WatchResponse[]): Watch => ({
    id: 1,
    client: 2,
    member: "m1",
    callUs: 0,
    range: { key: "a" },
    revision: 1,
    prevKv: false,
    progressNotify: false,
    filters: [],
    responses,
  });
  const operations = operationsOf(...writes);
  expect(invariantsOf(operations, { watches: [watch(response)] })).toEqual([]);
  const watches = [watch(response, response), watch({ ...response, events: [] })];
  expect(invariantsOf(operations, { watches })).toEqual([
    "C5-unique",
    "C5-resumable",
    "C5-resumable",
  ]);
});
