/** The machine, entry by entry. The semantics of the key space are in the other tests. */
import { describe, expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import { Bucket, type RowWrite } from "../platform/rows.js";
import { EntryType } from "../raft/types.js";
import { DeleteRangeResponse } from "../wire/gen/rpc.js";
import type { Machine } from "./apply.js";
import { scanDigests } from "./digest.js";
import {
  applyCommand,
  applyData,
  bytes,
  type Command,
  deleteOf,
  firstMember,
  foundMachine,
  JournalBackend,
  putOf,
  rangeOf,
  reopen,
  sha256,
  text,
  txnOf,
} from "./machine.fixture.js";
import {
  alarm,
  confChange,
  grant,
  joiner,
  put,
  reasonOf,
  setUp,
} from "./machine-commands.fixture.js";
import { shownKv } from "./operations.fixture.js";

describe("one entry is one write of the backend", () => {
  test.each<[string, (machine: Machine) => unknown]>([
    ["a put", (machine) => applyCommand(machine, put("a"))],
    ["a refused put", (machine) => applyCommand(machine, put("a", "v", { lease: 5n }))],
    ["a new leader's no-op", (machine) => applyData(machine, new Uint8Array(0))],
    ["a grant", (machine) => applyCommand(machine, grant(1n))],
    ["an alarm", (machine) => applyCommand(machine, alarm(1, 1))],
    ["a configuration change", (machine) => confChange(machine, { member: joiner })],
    [
      "a compaction",
      (machine) =>
        applyCommand(machine, { $case: "compaction", value: { revision: 1n, physical: true } }),
    ],
    [
      "a void step",
      (machine) =>
        applyCommand(machine, { $case: "compact_step", value: { revision: 8n, rows_max: 5 } }),
    ],
  ])("%s", (_name, apply) => {
    const { backend, machine } = setUp();
    apply(machine);
    expect(backend.writes.length).toBe(2);
    const metas = (backend.writes[1] as RowWrite[]).filter((row) => row.bucket === Bucket.meta);
    expect(metas.length).toBe(1);
    const restored = reopen(backend);
    expect([restored.appliedIndex, restored.appliedTerm]).toEqual([2, 2]);
    expect(restored.digests()).toEqual(machine.digests());
    expect(scanDigests(backend, sha256)).toEqual(machine.digests().buckets);
  });

  test("an entry out of order, unknown or unreadable stops the machine and writes nothing", () => {
    const { backend, machine } = setUp();
    const at = (index: number, data: Uint8Array) => () =>
      machine.apply({ index, term: 2, type: EntryType.normal, data });
    expect(at(1, new Uint8Array(0))).toThrow("out of order");
    expect(at(3, new Uint8Array(0))).toThrow("out of order");
    // The first request is field 3000 with no content. The second is a deletion whose key is cut.
    expect(at(2, Uint8Array.of(0xc2, 0xbb, 0x01, 0x00))).toThrow("an entry of an unknown kind");
    expect(at(2, Uint8Array.of(0x2a, 0x02, 0x0a, 0x05))).toThrow("cannot be decoded");
    const conf = { index: 2, term: 2, type: EntryType.confChange, data: Uint8Array.of(0x0a) };
    expect(() => machine.apply(conf)).toThrow("cannot be decoded");
    expect(backend.writes.length).toBe(1);
  });

  test("the root tells states apart that differ in the index alone", () => {
    const { machine } = setUp();
    const before = machine.digests();
    applyData(machine, new Uint8Array(0));
    expect(machine.digests().buckets).toEqual(before.buckets);
    expect(machine.digests().root).not.toEqual(before.root);
  });
});

test("what was proposed comes back with its proposer and the revision after it", () => {
  const { machine } = setUp();
  const applied = applyCommand(machine, put("a"));
  expect(applied).toMatchObject({ index: 2, proposer: firstMember, requestId: 7, revision: 2 });
  expect(applied.conf).toBeUndefined();
  const refused = applyCommand(machine, put("b", "", { ignore_value: true }));
  expect(reasonOf(refused)).toBe("keyNotFound");
  expect([refused.revision, refused.events]).toEqual([2, undefined]);
});

test("a transaction larger than any list of rows sees its own writes", () => {
  const { machine } = setUp();
  const puts = Array.from({ length: 40 }, (_, at) => ({
    request: { $case: "request_put" as const, value: putOf(`k${at}`, String(at)) },
  }));
  const { outcome } = applyCommand(machine, {
    $case: "txn",
    value: txnOf({
      success: [
        ...puts,
        { request: { $case: "request_range", value: rangeOf("k3", "k4") } },
        { request: { $case: "request_delete_range", value: deleteOf("k1", "k2", true) } },
        { request: { $case: "request_range", value: rangeOf("k", "l", { count_only: true }) } },
        { request: { $case: "request_put", value: putOf("late", "x") } },
        { request: { $case: "request_range", value: rangeOf("late") } },
      ],
    }),
  });
  if (outcome instanceof KvError || outcome.kind !== "txn") throw new Error("not a transaction");
  const [range, deleted, count, , late] = outcome.responses.slice(40).map((each) => each.outcome);
  expect(range?.kind === "range" && range.kvs.map((kv) => shownKv(kv).value)).toEqual([
    "3",
    "30",
    "31",
    "32",
    "33",
    "34",
    "35",
    "36",
    "37",
    "38",
    "39",
  ]);
  expect(deleted?.kind === "deleteRange" && deleted.prevKvs.map((kv) => shownKv(kv).value)).toEqual(
    ["1", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19"],
  );
  expect(count).toMatchObject({ kind: "range", count: 29, kvs: [] });
  expect(late?.kind === "range" && late.kvs.map((kv) => shownKv(kv).value)).toEqual(["x"]);
});

test("many former values of a deletion come as the bytes of the answer", () => {
  const { machine } = setUp();
  const keys = Array.from({ length: 600 }, (_, at) => `k${String(at).padStart(3, "0")}`);
  for (const key of keys) applyCommand(machine, { $case: "put", value: putOf(key, `of ${key}`) });
  const deletion = { $case: "delete_range", value: deleteOf("k", "l", true) } as const;
  const { outcome } = applyCommand(machine, deletion);
  if (outcome instanceof KvError || outcome.kind !== "deleteRange") throw new Error("no deletion");
  expect([outcome.deleted, outcome.prevKvs, outcome.encoded?.length]).toEqual([600, [], 600]);
  const bytes = Buffer.concat(outcome.encoded?.pieces ?? []);
  const former = DeleteRangeResponse.decode(bytes).prev_kvs;
  expect(former.map(({ key, value }) => `${key} ${value}`)).toEqual(
    keys.map((key) => `${key} of ${key}`),
  );
});

describe("leases", () => {
  test("a revocation deletes the attached keys in order, in one revision", () => {
    const { machine } = setUp();
    applyCommand(machine, grant(5n));
    for (const key of ["c", "a", "\xff", "b"]) applyCommand(machine, put(key, "v", { lease: 5n }));
    applyCommand(machine, put("b", "w"));
    const { events } = applyCommand(machine, { $case: "lease_revoke", value: { ID: 5n } });
    expect(events?.events.map(({ key }) => text(key))).toEqual(["a", "c", "\xff"]);
    expect(machine.kv.revision()).toBe(7);
    expect(machine.leases.get(5n)).toBeUndefined();
    expect(reasonOf(applyCommand(machine, put("d", "v", { lease: 5n })))).toBe("leaseNotFound");
  });

  test("attachments come back from the rows after a restart", () => {
    const { backend, machine } = setUp();
    applyCommand(machine, grant(5n));
    applyCommand(machine, grant(6n));
    applyCommand(machine, put("a", "v", { lease: 5n }));
    applyCommand(machine, put("b", "v", { lease: 5n }));
    applyCommand(machine, put("b", "v", { lease: 6n }));
    applyCommand(machine, put("c", "v", { lease: 6n }));
    applyCommand(machine, { $case: "delete_range", value: deleteOf("c") });
    const checkpoints = [{ ID: 6n, remaining_TTL: 17n }];
    applyCommand(machine, { $case: "lease_checkpoint", value: { checkpoints } });
    const { leases } = reopen(backend);
    expect(leases.keys(5n).map(text)).toEqual(["a"]);
    expect(leases.keys(6n).map(text)).toEqual(["b"]);
    expect(leases.get(6n)).toMatchObject({ grantedTtl: 60, remainingTtl: 17 });
    expect(scanDigests(backend, sha256)).toEqual(machine.digests().buckets);
  });
});

describe("alarms are state: every member refuses the same entries", () => {
  const nested = (): Command => {
    const inner = txnOf({
      failure: [{ request: { $case: "request_put", value: putOf("a", "v") } }],
    });
    return {
      $case: "txn",
      value: txnOf({ success: [{ request: { $case: "request_txn", value: inner } }] }),
    };
  };

  test("out of space: what may need space", () => {
    const { machine } = setUp();
    applyCommand(machine, put("a"));
    applyCommand(machine, grant(1n));
    applyCommand(machine, alarm(1, 1));
    expect(machine.alarms()).toEqual([{ memberId: firstMember, alarm: "NOSPACE" }]);
    for (const op of [put("b"), grant(2n), nested()]) {
      expect(reasonOf(applyCommand(machine, op))).toBe("noSpace");
    }
    const free: Command[] = [
      { $case: "delete_range", value: deleteOf("a") },
      { $case: "txn", value: txnOf({}) },
      { $case: "compaction", value: { revision: 3n, physical: false } },
      { $case: "lease_revoke", value: { ID: 1n } },
    ];
    for (const op of free) expect(reasonOf(applyCommand(machine, op))).toBeUndefined();
    applyCommand(machine, alarm(2, 1));
    expect(reasonOf(applyCommand(machine, put("b")))).toBeUndefined();
  });

  test("corrupt: everything that clients write", () => {
    const { backend, machine } = setUp();
    applyCommand(machine, alarm(1, 2));
    const writes: Command[] = [
      put("a"),
      { $case: "delete_range", value: deleteOf("a") },
      { $case: "txn", value: txnOf({}) },
      { $case: "compaction", value: { revision: 1n, physical: false } },
      grant(1n),
      { $case: "lease_revoke", value: { ID: 1n } },
    ];
    const restored = reopen(backend);
    for (const op of writes) {
      expect(reasonOf(applyCommand(machine, op))).toBe("corrupt");
      expect(reasonOf(applyCommand(restored, op))).toBe("corrupt");
    }
    const version: Command = { $case: "cluster_version_set", value: { ver: "3.6.0" } };
    expect(reasonOf(applyCommand(machine, version))).toBeUndefined();
    expect(machine.cluster.clusterVersion()).toBe("3.6.0");
  });
});

describe("damage on disk is never answered", () => {
  function damaged(bucket: Bucket): JournalBackend {
    const { backend, machine } = setUp();
    applyCommand(machine, put("a", "precious"));
    const image = new JournalBackend();
    for (const rows of backend.writes) {
      image.write(
        rows.map((row) => {
          const value = row.value?.slice();
          if (row.bucket === bucket && value !== undefined) value[2] = (value[2] as number) ^ 4;
          return { ...row, value };
        }),
      );
    }
    return image;
  }

  test.each([Bucket.meta, Bucket.key, Bucket.members])("a flipped bit in bucket %i", (bucket) => {
    expect(() => reopen(damaged(bucket))).toThrow("fails its check value");
  });

  test("a row that got lost", () => {
    const { backend, machine } = setUp();
    applyCommand(machine, put("a"));
    const row = backend.writes[1]?.find(({ bucket }) => bucket === Bucket.key) as RowWrite;
    backend.write([{ ...row, value: undefined }]);
    expect(() => machine.kv.range(rangeOf("a"))).toThrow("is missing: the backend is damaged");
    expect(scanDigests(backend, sha256).get(Bucket.key)).not.toEqual(
      machine.digests().buckets.get(Bucket.key),
    );
  });
});

test("a state is founded once, and an empty one says so", () => {
  const { backend } = setUp();
  expect(() => foundMachine(backend)).toThrow("founded twice");
  const empty = reopen(new JournalBackend());
  expect([empty.appliedIndex, empty.kv.revision(), empty.kv.keyCount()]).toEqual([0, 1, 0]);
  expect(empty.kv.kvAt(bytes("a"), 1)).toBeUndefined();
});
