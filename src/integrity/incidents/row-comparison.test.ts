import { expect, test } from "vitest";
import { nodeHash } from "../../platform/node/hash.js";
import { Bucket, type RowWrite } from "../../platform/rows.js";
import type { Machine } from "../../state/apply.js";
import { DigestSet } from "../../state/digest.js";
import { emptyMeta, encodeMeta, metaKey } from "../../state/meta.js";
import { encodeRevision } from "../../state/mvcc/revision-key.js";
import { sealRow } from "../../state/rows.js";
import { createMemoryBackendStore } from "../../verify/sim/platform/memory-backend.js";
import { KeyValue } from "../../wire/gen/kv.js";
import type { RowFindings } from "./incident.js";
import { RowComparison } from "./row-comparison.js";

const { sha256 } = nodeHash;

function row(main: number, key: string, value: string): RowWrite {
  const message = { ...KeyValue.decode(new Uint8Array(0)), key: Buffer.from(key) };
  const bytes = KeyValue.encode({ ...message, value: Buffer.from(value) }).finish();
  const at = encodeRevision(main, 0, false);
  return { bucket: Bucket.key, key: at, value: sealRow(Bucket.key, at, bytes) };
}

function metaRow(index: number, revision: number): RowWrite {
  const bytes = encodeMeta({ ...emptyMeta(), index, revision }, new DigestSet(sha256));
  return { bucket: Bucket.meta, key: metaKey, value: sealRow(Bucket.meta, metaKey, bytes) };
}

function flipped(write: RowWrite): RowWrite {
  const value = (write.value as Uint8Array).slice();
  value[0] = (value[0] as number) ^ 1;
  return { ...write, value };
}

/** Compares to the end, in as many pieces as it takes. */
function compare(
  wrongRows: readonly RowWrite[],
  rightRows: readonly RowWrite[],
  at: { readonly revision: number; readonly compactRevision?: number },
): { readonly findings: RowFindings; readonly pieces: number } {
  const store = createMemoryBackendStore({ defer: (fn) => fn() });
  const wrong = store.open("wrong");
  const right = store.open("right");
  wrong.write(wrongRows);
  right.write(rightRows);
  const timers: (() => void)[] = [];
  const clock = {
    now: () => 0,
    unixMs: () => 0,
    defer: (fn: () => void) => timers.push(fn),
    after: (_ms: number, fn: () => void) => {
      timers.push(fn);
      return { cancel: () => {} };
    },
  };
  const machine = {
    appliedIndex: 99,
    kv: { revision: () => at.revision, compactRevision: () => at.compactRevision ?? -1 },
  } as unknown as Machine;
  const all: RowFindings[] = [];
  const parts = { clock, sha256, right: () => ({ backend: right, machine }) };
  const comparison = new RowComparison(parts, wrong, (findings) => all.push(findings));
  let pieces = 0;
  for (let next = timers.shift(); next !== undefined; next = timers.shift()) {
    pieces++;
    next();
  }
  comparison.stop();
  expect(all).toHaveLength(1);
  return { findings: all[0] as RowFindings, pieces };
}

test("each kind of wrong row is told apart, and what came later is left out", () => {
  const right = [2, 3, 4, 5, 6, 9].map((main) => row(main, `k${main}`, "right"));
  const wrong = [
    row(2, "k2", "right"),
    row(3, "k3", "wrong"),
    flipped(row(4, "k4", "right")),
    row(6, "k6", "right"),
    row(7, "k7\n", "too many"),
    metaRow(50, 8),
  ];
  const { findings } = compare(wrong, right, { revision: 9 });
  expect(findings).toMatchObject({
    ...{ wrongIndex: 50, rightIndex: 99, uptoRevision: 8, problem: "" },
    faults: { missing: 1, extra: 1, different: 1, damaged: 1 },
  });
  expect(findings.rows.map(({ text, revision, fault }) => [text, revision, fault])).toEqual([
    ["k3", 3, "different"],
    ["k4", 4, "damaged"],
    ["k5", 5, "missing"],
    ["k7\\x0a", 7, "extra"],
  ]);
});

test("what was compacted meanwhile is no difference", () => {
  const wrong = [2, 3, 4].map((main) => row(main, "a", `${main}`));
  const right = [row(4, "a", "4"), row(5, "a", "5")];
  const at = { revision: 5, compactRevision: 4 };
  const { findings } = compare([...wrong, metaRow(50, 4)], right, at);
  expect(findings.faults).toEqual({ missing: 0, extra: 0, different: 0, damaged: 0 });
});

test("thousands of rows are read in pieces; some are named, all are counted", () => {
  const mains = Array.from({ length: 3_000 }, (_, at) => at + 2);
  const right = mains.map((main) => row(main, `k${main}`, "right"));
  const wrong = mains
    .filter((main) => main % 10 !== 0)
    .map((main) => row(main, `k${main}`, main % 100 === 1 ? "wrong" : "right"));
  const { findings, pieces } = compare([...wrong, metaRow(50, 3_001)], right, { revision: 3_001 });
  expect(pieces).toBeGreaterThan(5);
  expect(findings.compared).toBe(wrong.length);
  expect(findings.faults).toEqual({ missing: 300, extra: 0, different: 30, damaged: 0 });
  expect(findings.rows).toHaveLength(20);
});

test("a state that does not tell where it stands is compared all the same", () => {
  const { findings } = compare([flipped(metaRow(50, 2))], [row(2, "a", "1")], { revision: 2 });
  expect(findings).toMatchObject({ wrongIndex: 0, faults: { missing: 1 }, problem: "" });
});
