/** The log's notes against backends: the right one, and such as fit themselves but are not it. */

import { describe, expect, test } from "vitest";
import { type Entry, EntryType } from "../../raft/types.js";
import type { Machine } from "../../state/apply.js";
import type { Fingerprint } from "../../state/fingerprint.js";
import { encodeCommand, foundMachine, JournalBackend, putOf } from "../../state/machine.fixture.js";
import { MemoryLogStorage } from "../../wal/memory-log-storage.js";
import {
  checkpointNotesOf,
  encodeCheckpointNote,
  checkAgainstNotes as hear,
} from "./checkpoint-note.js";

const none = { learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

const entryAt = (index: number, value = `value ${index}`): Entry => ({
  ...{ index, term: 2, type: EntryType.normal },
  data: encodeCommand({ $case: "put", value: putOf(`key ${index % 3}`, value) }),
});

function logTo(last: number): MemoryLogStorage {
  const log = new MemoryLogStorage();
  log.restore({ index: 1, term: 1, confState: { voters: [0x11n], ...none } });
  log.append(Array.from({ length: last - 1 }, (_unused, at) => entryAt(at + 2)));
  return log;
}

/** The state after these entries; `change` replaces some. */
function machineAt(index: number, change: ReadonlyMap<number, Entry> = new Map()): Machine {
  const machine = foundMachine(new JournalBackend());
  for (let at = 2; at <= index; at++) machine.apply(change.get(at) ?? entryAt(at));
  return machine;
}

const checkAgainstNotes = (
  log: MemoryLogStorage,
  machine: Machine,
  notes: readonly Fingerprint[],
) => hear(log, machine, { notes, selfId: 0x11n });

const noted = (index: number, backend = "state-0"): Uint8Array =>
  encodeCheckpointNote(machineAt(index).fingerprint(), backend);

describe("what the log noted", () => {
  const log = logTo(20);
  const notes = checkpointNotesOf([noted(5), noted(10), noted(15)], "state-0");

  test.each([5, 7, 10, 14, 15, 18])("a right backend at index %i is right", (index) => {
    const machine = machineAt(index);
    expect(checkAgainstNotes(log, machine, notes)).toBeUndefined();
    expect(machine.appliedIndex).toBe([5, 10, 15].find((at) => at >= index) ?? index);
  });

  test.each([5, 8, 10])("another value, with digests that fit, at index %i is found", (index) => {
    const machine = machineAt(index, new Map([[4, entryAt(4, "forged")]]));
    expect(checkAgainstNotes(log, machine, notes)?.message).toMatch(/differs from what .* noted/);
  });

  test("a backend that holds entries twice or never is found", () => {
    const doubled = machineAt(7);
    // It says 7, and holds 8 and 9 too: they are applied again.
    const claimed = Object.create(doubled, {
      appliedIndex: { get: () => doubled.appliedIndex - 2 },
    }) as Machine;
    for (const at of [8, 9]) doubled.apply(entryAt(at));
    const apply = (entry: Entry) => doubled.apply({ ...entry, index: doubled.appliedIndex + 1 });
    Object.defineProperty(claimed, "apply", { value: apply });
    Object.defineProperty(claimed, "fingerprint", { value: () => doubled.fingerprint() });
    expect(checkAgainstNotes(log, claimed, notes)?.message).toContain("twice or never");
  });

  test("nothing is said of another backend, another version, or of what lies behind the last note", () => {
    const wrong = () => machineAt(12, new Map([[4, entryAt(4, "forged")]]));
    const others = [noted(15, "state-1")];
    expect(checkAgainstNotes(log, wrong(), checkpointNotesOf(others, "state-0"))).toBeUndefined();
    const newer = noted(15);
    newer[0] = 99;
    expect(checkAgainstNotes(log, wrong(), checkpointNotesOf([newer], "state-0"))).toBeUndefined();
    expect(checkAgainstNotes(log, wrong(), notes.slice(0, 2))).toBeUndefined();
    expect(checkAgainstNotes(log, wrong(), notes)).toBeDefined();
    expect(checkpointNotesOf([new Uint8Array(3)], "state-0")).toEqual([]);
  });
});
