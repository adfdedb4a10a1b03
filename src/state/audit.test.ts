/** Rows and tables agree after any entries; a change of the rows by anything else is found. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Bucket } from "../platform/rows.js";
import type { Machine } from "./apply.js";
import {
  applyCommand,
  bytes,
  type Command,
  foundMachine,
  JournalBackend,
  putOf,
} from "./machine.fixture.js";
import { encodeRevision } from "./mvcc/revision-key.js";
import { command } from "./operations.fixture.js";
import { sealRow } from "./rows.js";

function audited(machine: Machine, rowsMax = 3, between: () => void = () => {}): Bucket[] {
  const job = machine.audit();
  for (let pieces = 0; pieces < 100_000; pieces++) {
    const wrong = job.step(rowsMax);
    if (wrong !== undefined) return [...wrong];
    between();
  }
  throw new Error("the audit does not end");
}

function filled(): { readonly backend: JournalBackend; readonly machine: Machine } {
  const backend = new JournalBackend();
  const machine = foundMachine(backend);
  const put = (key: string): Command => ({ $case: "put", value: putOf(key, "v") });
  for (let at = 0; at < 12; at++) applyCommand(machine, put(`k${at % 5}`));
  applyCommand(machine, { $case: "lease_grant", value: { ID: 5n, TTL: 60n } });
  applyCommand(machine, { $case: "alarm", value: { action: 1, memberID: 9n, alarm: 1 } });
  return { backend, machine };
}

test("they agree after and between any entries", () => {
  const sequence = fc.array(command({ compaction: 3 }), { maxLength: 40, size: "max" });
  fc.assert(
    fc.property(sequence, sequence, fc.integer({ min: 1, max: 9 }), (before, during, rowsMax) => {
      const machine = foundMachine(new JournalBackend());
      for (const draw of before) applyCommand(machine, draw(machine.kv.revision()));
      const left = [...during];
      const wrong = audited(machine, rowsMax, () => {
        const draw = left.shift();
        if (draw !== undefined) applyCommand(machine, draw(machine.kv.revision()));
      });
      expect(wrong).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test("every row that is lost shows in its bucket", () => {
  const { backend } = filled();
  const count = backend.writes.length;
  const buckets = [Bucket.key, Bucket.lease, Bucket.alarm, Bucket.members, Bucket.cluster];
  for (const bucket of buckets) {
    const keys: Uint8Array[] = [];
    backend.scan(bucket, { from: new Uint8Array(0) }, (key) => keys.push(key) > 0);
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      const { backend: damaged, machine } = filled();
      expect(damaged.writes.length).toBe(count);
      damaged.write([{ bucket, key, value: undefined }]);
      expect(audited(machine)).toEqual([bucket]);
    }
  }
});

test.each([
  ["key", Bucket.key, encodeRevision(4, 1, false), bytes("\n\x02k1")],
  ["key", Bucket.key, encodeRevision(99, 0, true), bytes("\n\x02k1")],
  ["key", Bucket.key, encodeRevision(99, 0, false), bytes("no message")],
  ["lease", Bucket.lease, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 5), bytes("\x08\x05\x10\x07")],
  ["lease", Bucket.lease, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 6), bytes("\x08\x06\x10\x3c")],
  ["alarm", Bucket.alarm, bytes("\x08\x07\x10\x01"), bytes("")],
  ["members", Bucket.members, bytes("12"), bytes("\x08\x12")],
  ["members_removed", Bucket.membersRemoved, bytes("77"), bytes("removed")],
  ["cluster", Bucket.cluster, bytes("clusterVersion"), bytes("3.5.0")],
  ["cluster", Bucket.cluster, bytes("version/ff"), bytes("3.6.0")],
])("a row of %s that no entry wrote shows", (_name, bucket, key, value) => {
  const { backend, machine } = filled();
  expect(audited(machine)).toEqual([]);
  backend.write([{ bucket, key, value: sealRow(bucket, key, value) }]);
  expect(audited(machine)).toEqual([bucket]);
});
