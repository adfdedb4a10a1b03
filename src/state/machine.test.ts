/** The machine, entry by entry. The semantics of the key space are in the other tests. */
import { describe, expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import { Bucket, type RowWrite } from "../platform/rows.js";
import { EntryType } from "../raft/types.js";
import { ConfChangeRequest, ConfChangeRequest_Type as Type } from "../wire/gen/internal.js";
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
import { shown, shownKv } from "./operations.fixture.js";
import type { Applied } from "./types.js";

const put = (key: string, value = "v", more = {}): Command => ({
  $case: "put",
  value: putOf(key, value, more),
});
const grant = (ID: bigint): Command => ({ $case: "lease_grant", value: { ID, TTL: 60n } });
const alarm = (action: number, kind: number): Command => ({
  $case: "alarm",
  value: { action, memberID: firstMember, alarm: kind },
});
const second = 0x22n;

function setUp(): { backend: JournalBackend; machine: Machine } {
  const backend = new JournalBackend();
  return { backend, machine: foundMachine(backend) };
}

function reasonOf({ outcome }: Applied): string | undefined {
  return outcome instanceof KvError ? outcome.reason : undefined;
}

function confChange(machine: Machine, change: Partial<ConfChangeRequest>): Applied {
  const data = ConfChangeRequest.encode({
    header: { ID: 9n, proposer: firstMember, username: "", auth_revision: 0n },
    type: Type.ADD_VOTER,
    node_id: second,
    member: undefined,
    promote: false,
    ...change,
  }).finish();
  const index = machine.appliedIndex + 1;
  return machine.apply({ index, term: 2, type: EntryType.confChange, data });
}

const joiner = { ID: second, name: "", peerURLs: ["http://b"], clientURLs: [], isLearner: true };

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
    // Field 3000 with no content; a deletion whose key is cut.
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

describe("versions", () => {
  const says = (serverVersion: string): Command => ({
    $case: "cluster_member_attr_set",
    value: {
      member_ID: firstMember,
      member_attributes: { name: "a", client_urls: [] },
      server_version: serverVersion,
      incarnation: 0n,
    },
  });
  const set = (ver: string): Command => ({ $case: "cluster_version_set", value: { ver } });
  const downgrade = (enabled: boolean, ver = ""): Command => ({
    $case: "downgrade_info_set",
    value: { enabled, ver },
  });

  test("a version that the members do not allow changes nothing but the index", () => {
    const { machine } = setUp();
    applyCommand(machine, says("3.6.0"));
    applyCommand(machine, set("3.6.0"));
    const before = machine.digests();
    expect(applyCommand(machine, set("3.7.0")).outcome).toEqual({ kind: "none" });
    expect(machine.digests().buckets).toEqual(before.buckets);
    expect(machine.cluster.clusterVersion()).toBe("3.6.0");
  });

  test("up, down and up again; a restart in between knows the same, digests match the rows", () => {
    const { backend, machine } = setUp();
    const story: (readonly [Command, string])[] = [
      [says("3.7.0"), ""],
      [set("3.6.0"), "3.6.0"],
      [set("3.7.0"), "3.7.0"],
      [downgrade(true, "3.6.0"), "3.6.0"],
      [set("3.7.0"), "3.6.0"],
      [downgrade(false), "3.6.0"],
      [set("3.7.0"), "3.7.0"],
    ];
    for (const [command, version] of story) {
      expect(reasonOf(applyCommand(machine, command))).toBeUndefined();
      expect(machine.cluster.clusterVersion()).toBe(version);
      const restored = reopen(backend);
      expect(restored.cluster.clusterVersion()).toBe(version);
      expect(restored.cluster.dueVersion()).toBe(machine.cluster.dueVersion());
      expect(restored.cluster.downgradeTarget()).toBe(machine.cluster.downgradeTarget());
      expect(scanDigests(backend, sha256)).toEqual(machine.digests().buckets);
    }
    expect(reasonOf(applyCommand(machine, downgrade(true, "3.5.0")))).toBe(
      "invalidDowngradeTargetVersion",
    );
    expect(reasonOf(applyCommand(machine, downgrade(false)))).toBe("noInflightDowngrade");
  });
});

describe("membership", () => {
  test("a learner joins, is promoted, reports itself, leaves with its alarms", () => {
    const { backend, machine } = setUp();
    const added = confChange(machine, { type: Type.ADD_LEARNER, member: joiner });
    expect(added.conf?.change?.changes).toEqual([{ type: "addLearner", id: second }]);
    expect([added.requestId, added.proposer]).toEqual([9, firstMember]);
    expect(machine.confState).toMatchObject({ voters: [firstMember], learners: [second] });
    expect(reopen(backend).confState).toEqual(machine.confState);

    confChange(machine, { type: Type.ADD_VOTER, promote: true });
    expect(machine.confState).toMatchObject({ voters: [firstMember, second], learners: [] });
    applyCommand(machine, {
      $case: "cluster_member_attr_set",
      value: {
        member_ID: second,
        member_attributes: { name: "b", client_urls: ["http://c"] },
        server_version: "3.6.0",
        incarnation: 3n,
      },
    });
    expect(machine.cluster.member(second)).toMatchObject({ name: "b", clientUrls: ["http://c"] });

    applyCommand(machine, { $case: "alarm", value: { action: 1, memberID: second, alarm: 2 } });
    const removed = confChange(machine, { type: Type.REMOVE });
    expect(removed.conf?.change?.changes).toEqual([{ type: "remove", id: second }]);
    expect(machine.alarms()).toEqual([]);
    expect(machine.cluster.isRemoved(second)).toBe(true);
    const restored = reopen(backend);
    expect(restored.alarms()).toEqual([]);
    expect(restored.cluster.members()).toEqual(machine.cluster.members());
    expect(restored.cluster.isRemoved(second)).toBe(true);
    expect(scanDigests(backend, sha256)).toEqual(machine.digests().buckets);
  });

  test("a void change is told to raft as void", () => {
    const { machine } = setUp();
    const refused = confChange(machine, { type: Type.REMOVE });
    expect([reasonOf(refused), refused.conf]).toEqual(["memberNotFound", { change: undefined }]);
    const index = machine.appliedIndex + 1;
    const data = new Uint8Array(0);
    const left = machine.apply({ index, term: 2, type: EntryType.confChangeV2, data });
    expect([left.outcome, left.conf]).toEqual([{ kind: "none" }, { change: undefined }]);
  });
});

describe("compaction", () => {
  function compacted(): Machine {
    const { machine } = setUp();
    for (let at = 0; at < 3_000; at++) applyCommand(machine, put("a", String(at)));
    applyCommand(machine, { $case: "compaction", value: { revision: 2_900n, physical: false } });
    return machine;
  }
  const step = (revision: bigint, rows_max: number): Command => ({
    $case: "compact_step",
    value: { revision, rows_max },
  });

  test("its entry takes the first thousand rows, steps take the others", () => {
    const machine = compacted();
    const { kv } = machine;
    expect([kv.compactRevision(), kv.finishedCompactRevision()]).toEqual([2_900, 0]);
    applyCommand(machine, step(2_900n, 1_500));
    expect(kv.finishedCompactRevision()).toBe(0);
    applyCommand(machine, step(2_899n, 1_000));
    expect(kv.finishedCompactRevision()).toBe(0);
    applyCommand(machine, step(2_900n, 1_000));
    expect(kv.finishedCompactRevision()).toBe(2_900);
    const kvs = shown(kv.range(rangeOf("a", "", { revision: 2_900n })));
    expect(kvs).toMatchObject({ kvs: [{ value: "2898", version: 2_899 }] });
  });

  test("a step looks at no more rows than it may, also within one revision", () => {
    const { backend, machine } = setUp();
    const txn = (keys: readonly string[]): Command => ({
      $case: "txn",
      value: txnOf({
        success: keys.map((key) => ({
          request: { $case: "request_put", value: putOf(key, "v") },
        })),
      }),
    });
    applyCommand(machine, txn(Array.from({ length: 1_000 }, (_, at) => `fill/${at}`)));
    for (let times = 0; times < 2; times++) applyCommand(machine, txn(["a", "b", "c"]));
    applyCommand(machine, { $case: "compaction", value: { revision: 4n, physical: false } });
    const deletions: number[] = [];
    while (machine.kv.finishedCompactRevision() < 4) {
      applyCommand(machine, step(4n, 1));
      const rows = backend.writes.at(-1) as RowWrite[];
      deletions.push(rows.filter(({ value }) => value === undefined).length);
    }
    expect(deletions).toEqual([1, 1, 1, 0, 0, 0]);
  });

  test("reads below it are refused at once", () => {
    const { kv } = compacted();
    expect(() => kv.range(rangeOf("a", "", { revision: 2_899n }))).toThrow(KvError);
    expect(() => kv.history({ from: 2_899, to: 2_950, revisionsMax: 9 }, () => undefined)).toThrow(
      "required revision has been compacted",
    );
    expect(() => kv.hashKv(2_899)).toThrow("required revision has been compacted");
    expect(() => kv.hashKv(3_002)).toThrow("required revision is a future revision");
  });

  test("a second one before the end begins again and covers the first", () => {
    const machine = compacted();
    applyCommand(machine, { $case: "compaction", value: { revision: 2_950n, physical: false } });
    expect(machine.kv.finishedCompactRevision()).toBe(0);
    for (let steps = 0; steps < 2; steps++) applyCommand(machine, step(2_950n, 1_000));
    expect(machine.kv.finishedCompactRevision()).toBe(2_950);
  });

  test("a hash that a compaction overtakes begins again", () => {
    const machine = compacted();
    const job = machine.kv.hashKv(3_000);
    expect(job.step(10)).toBeUndefined();
    applyCommand(machine, { $case: "compaction", value: { revision: 2_990n, physical: false } });
    const late = machine.kv.hashKv(2_990);
    const fresh = machine.kv.hashKv(3_000).step(1e9);
    expect(job.step(1e9)).toEqual(fresh);
    applyCommand(machine, { $case: "compaction", value: { revision: 3_000n, physical: false } });
    expect(() => late.step(1e9)).toThrow("required revision has been compacted");
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
