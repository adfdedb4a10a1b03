import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import type { History, Mark, Operation, Request } from "../../verify/history/types.js";
import { judgeHistory } from "../../verify/linearizability/judge-history.js";
import { availabilityGaps, gapFindings } from "./availability.js";
import { leaseFindings } from "./lease-promises.js";
import { renumbered } from "./renumber.js";
import { upkeepFindings } from "./upkeep-promises.js";

const second = 1_000_000;
let ids = 0;

function operation(
  atS: number,
  request: Request,
  answer: { readonly ttl?: number; readonly unknown?: boolean } = {},
): Operation {
  const lease = { kind: "lease", id: "7", ttl: answer.ttl ?? 2 } as const;
  return {
    ...{ id: ++ids, client: 1, member: "m1", callUs: atS * second, request },
    returnUs: (atS + 0.01) * second,
    outcome:
      answer.unknown === true
        ? { kind: "unknown", error: "no answer" }
        : { kind: "ok", revision: 2, answer: request.kind === "put" ? { kind: "put" } : lease },
  };
}

function withDeletion(operations: readonly Operation[], atS: number): History {
  const kv = { key: "lockstep-torture/lease/7", value: "", create: 0, version: 0, mod: 3 };
  const response = {
    atUs: atS * second,
    revision: 3,
    events: [{ type: "delete", ...kv }],
  } as const;
  const watch = {
    ...{ id: 1, client: 1_000, member: "m2", callUs: 0, range: { key: "a" }, revision: 1 },
    ...{ prevKv: false, progressNotify: false, filters: [], responses: [response] },
  };
  return { operations, watches: [watch], marks: [] };
}

describe("leases", () => {
  const grant = operation(1, { kind: "leaseGrant", id: "7", ttl: 2 });
  const put = operation(1.1, {
    ...{ kind: "put", key: "lockstep-torture/lease/7", value: "v", lease: "7" },
  });
  const renewed = operation(2.5, { kind: "leaseKeepAlive", id: "7" });

  test("an end after the last promised moment is right, one before it is not", () => {
    expect(leaseFindings(withDeletion([grant, put], 3.1))).toEqual([]);
    expect(leaseFindings(withDeletion([grant, put], 2))).toEqual([
      expect.stringMatching(/^lease 7 ended \d+ ms before its time: a watch at m2 /),
    ]);
    expect(leaseFindings(withDeletion([grant, put, renewed], 3.1))).toHaveLength(1);
    expect(leaseFindings(withDeletion([grant, put, renewed], 4.6))).toEqual([]);
  });

  test("a renewal without an answer, and a revocation, promise nothing", () => {
    const lost = operation(2.5, { kind: "leaseKeepAlive", id: "7" }, { unknown: true });
    expect(leaseFindings(withDeletion([grant, put, lost], 3.1))).toEqual([]);
    const revoked = operation(1.5, { kind: "leaseRevoke", id: "7" }, { unknown: true });
    expect(leaseFindings(withDeletion([grant, put, revoked], 2))).toEqual([]);
  });

  test("a renewal that is refused too early", () => {
    const refused = operation(2.5, { kind: "leaseKeepAlive", id: "7" }, { ttl: 0 });
    const history = { operations: [grant, put, refused], watches: [], marks: [] };
    expect(leaseFindings(history)).toEqual([expect.stringMatching(/m1 answered a renewal/)]);
  });
});

describe("availability", () => {
  const put = { kind: "put", key: "k", value: "v" } as const;
  const lost = Array.from({ length: 50 }, (_, at) => operation(10 + at, put, { unknown: true }));
  const operations = [operation(1, put), ...lost, operation(60, put)];
  const mark = (kind: Mark["kind"], atS: number): Mark => ({
    ...{ kind, atUs: atS * second, text: kind === "fault" ? "kill: SIGKILL" : "kill is over" },
    member: "m2",
  });

  test("a gap while a fault is on is counted, and is no finding", () => {
    const marks = [mark("fault", 9), mark("heal", 58)];
    const gaps = availabilityGaps({ operations, watches: [], marks });
    expect(gaps).toEqual([{ member: "m1", kind: "write", longestMs: 50_010, calmMs: 2_010 }]);
    expect(gapFindings(gaps)).toEqual([]);
  });

  test("a gap without any fault is a finding", () => {
    const gaps = availabilityGaps({ operations, watches: [], marks: [] });
    expect(gapFindings(gaps)).toEqual([expect.stringMatching(/^m1 answered no write for 50\.0 s/)]);
  });
});

describe("a history of a cluster that others use", () => {
  const key = "lockstep-torture/000";
  const put = (atS: number, value: string, revision: number): Operation => ({
    ...operation(atS, { kind: "put", key, value }),
    outcome: { kind: "ok", revision, answer: { kind: "put" } },
  });
  const read = (atS: number, value: string, mod: number, revision: number): Operation => ({
    ...operation(atS, { kind: "range", key }),
    outcome: {
      ...{ kind: "ok", revision },
      answer: {
        ...{ kind: "range", count: 1 },
        kvs: [{ key, value, create: 41, mod, version: mod === 41 ? 1 : 2 }],
      },
    },
  });
  const verdict = (operations: readonly Operation[]) =>
    judgeHistory(renumbered({ operations, watches: [], marks: [] }), {}).verdict;

  test("is judged as if nobody else wrote", () => {
    const writes = [put(1, "a", 41), put(3, "b", 60)];
    expect(verdict([...writes, read(4, "b", 60, 77)])).toBe("linearizable");
    // The read shows what the second put replaced, after that put was acknowledged.
    expect(verdict([...writes, read(4, "a", 41, 77)])).toBe("not");
  });

  test("a revision in between becomes that of the last own change, a watch begins at the next", () => {
    const watch = withDeletion([], 0).watches[0] as History["watches"][number];
    const response = { atUs: 5, revision: 70, events: [] };
    const history = renumbered({
      ...{ operations: [put(1, "a", 41), put(3, "b", 60)], marks: [] },
      watches: [{ ...watch, revision: 50, responses: [response] }],
    });
    expect(history.watches).toMatchObject([{ revision: 3, responses: [{ revision: 3 }] }]);
  });
});

describe("snapshots and hashes", () => {
  const at = (name: string, error: string): Operation => ({
    ...operation(10, { kind: "other", name }),
    outcome: { kind: "unknown", error },
  });
  const found = (operations: readonly Operation[], marks: readonly Mark[] = []) =>
    upkeepFindings({ operations, watches: [], marks });
  const fault = { atUs: 2 * second, kind: "fault", member: "m1", text: "kill: SIGKILL" } as const;
  const heal = { ...fault, kind: "heal", text: "kill is over" } as const;

  test("a failure is wrong in calm times, and for some time after a fault it is not", () => {
    const torn = at("Snapshot", "the read failed");
    expect(found([torn])).toEqual([
      "a Snapshot of m1 failed although nothing harmed the cluster: the read failed",
    ]);
    expect(found([torn], [fault])).toEqual([]);
    expect(found([torn], [fault, { ...heal, atUs: 6 * second }])).toEqual([]);
    expect(found([torn], [fault, { ...heal, atUs: 4 * second }])).toHaveLength(1);
    expect(found([at("Hash", "x"), at("HashKV", "x")])).toHaveLength(2);
  });

  test("a damaged snapshot is wrong at any time; what is promised or late is not", () => {
    const damaged = at("Snapshot", "damaged: no SHA-256 after 512 bytes");
    expect(found([damaged], [fault])).toEqual([
      "a Snapshot of m1 ended as if it were whole: damaged: no SHA-256 after 512 bytes",
    ]);
    const replaced = new KvError("viewReplaced").message;
    const crowded = new KvError("tooManyViews").message;
    const slow = new KvError("viewTooSlow").message;
    const excused = [replaced, crowded, slow, "no end within 10 s"];
    expect(found(excused.map((text) => at("Snapshot", text)))).toEqual([]);
    expect(found([at("Defragment", "x")])).toEqual([]);
  });
});
