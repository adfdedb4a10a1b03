/** Compaction as the log drives it: its entry, its steps, and reads in between. */
import { describe, expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import type { RowWrite } from "../platform/rows.js";
import type { Machine } from "./apply.js";
import { applyCommand, type Command, putOf, rangeOf, txnOf } from "./machine.fixture.js";
import { put, setUp } from "./machine-commands.fixture.js";
import { shown } from "./operations.fixture.js";

test("a step of a hash takes many short rows, but few long ones", () => {
  const steps = (bytes: number): number => {
    const { machine } = setUp();
    for (let at = 0; at < 200; at++) applyCommand(machine, put(`k/${at}`, "v".repeat(bytes)));
    const job = machine.kv.hashKv(0);
    let count = 1;
    while (job.step(64) === undefined) count++;
    return count;
  };
  expect(steps(10)).toBe(1);
  expect(steps(64 * 1024)).toBe(100);
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
