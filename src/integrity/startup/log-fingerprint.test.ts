/** A state against the log that made it: an entry applied twice or never is found at the start. */

import { describe, expect, test } from "vitest";
import type { Entry } from "../../raft/types.js";
import type { Machine } from "../../state/apply.js";
import type { Fingerprint } from "../../state/fingerprint.js";
import { chainOf } from "../../state/log-chain.js";
import { MemoryLogStorage } from "../../wal/memory-log-storage.js";
import { proveLog as proveLogBy } from "./log-fingerprint.js";

const entryAt = (index: number): Entry => ({
  ...{ index, term: 1 + (index >> 9), type: 0 },
  data: new TextEncoder().encode(`entry ${index}`),
});

/** What a machine claims that applied these entries after the founding state at index 1. */
function machineOf(applied: readonly Entry[], index: number): Machine {
  const logChain = applied.reduce(chainOf, 0);
  const fingerprint = { index, revision: 1, compactRevision: -1, logChain };
  return { fingerprint: () => ({ ...fingerprint, rows: new Uint8Array(16) }) } as Machine;
}

function logFrom(base: number, last: number): MemoryLogStorage {
  const log = new MemoryLogStorage();
  const none = { learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  log.restore({ index: base, term: 1, confState: { voters: [1n], ...none } });
  const entries: Entry[] = [];
  for (let index = base + 1; index <= last; index++) entries.push(entryAt(index));
  log.append(entries);
  return log;
}

const upTo = (last: number): Entry[] =>
  Array.from({ length: last - 1 }, (_unused, at) => entryAt(at + 2));

/** What the log noted at these indexes. */
const notedAt = (...indexes: readonly number[]): Fingerprint[] =>
  indexes.map((index) => machineOf(upTo(index), index).fingerprint());
const proveLog = (log: MemoryLogStorage, machine: Machine) =>
  proveLogBy(log, machine, notedAt(700, 2_048, 2_900, 5_000));

describe.each([
  ["from the founding on", 1],
  ["from a note on", 2_048],
  ["from before a note on", 2_000],
])("a log that is retained %s", (_name, base) => {
  const last = 3_100;
  const log = logFrom(base, last + 20);

  test("a state of its entries is right, also with more log behind it", () => {
    expect(proveLog(log, machineOf(upTo(last), last))).toBeUndefined();
  });

  test("an entry that was skipped, doubled, replaced, or a wrong index is found", () => {
    const all = upTo(last);
    const skipped = [...all.slice(0, -5), ...all.slice(-4)];
    const doubled = [...all.slice(0, -5), all.at(-6) as Entry, ...all.slice(-5)];
    const changed = { ...(all.at(-3) as Entry), data: new Uint8Array(3) };
    const replaced = [...all.slice(0, -3), changed, ...all.slice(-2)];
    for (const applied of [skipped, doubled, replaced]) {
      expect(proveLog(log, machineOf(applied, last))?.message).toContain(`at index ${last}`);
    }
    expect(proveLog(log, machineOf(all, last - 1))).toBeDefined();
    expect(proveLog(log, machineOf(all, last + 1))).toBeDefined();
  });
});

test("without a known point in the retained log there is nothing to compare", () => {
  const last = 3_500;
  const log = logFrom(last - 100, last);
  expect(proveLog(log, machineOf([], last))).toBeUndefined();
});
