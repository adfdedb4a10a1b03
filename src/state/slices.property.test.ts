/**
 * Entries in slices. Whatever the size of a slice, the result equals that of the same entry applied
 * at once. In between every reader sees the state before it. An entry given up in the middle
 * changes nothing.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { runs } from "../base/campaign.fixture.js";
import { type Entry, EntryType } from "../raft/types.js";
import type { Machine } from "./apply.js";
import {
  applyCommand,
  encodeCommand,
  foundMachine,
  JournalBackend,
  putOf,
  rangeOf,
  reopen,
  text,
} from "./machine.fixture.js";
import { command } from "./operations.fixture.js";
import type { Applied } from "./types.js";

const everything = rangeOf("\0", "\0");

/** Everything that a reader can see. */
function seen(machine: Machine): object {
  const { kv, leases } = machine;
  const { kvs, count } = kv.range(everything);
  return {
    rows: kvs.map(text),
    count,
    numbers: [kv.revision(), kv.compactRevision(), kv.keyCount(), machine.appliedIndex],
    counts: ["b", "c", "d"].map(
      (key) => kv.range({ ...rangeOf(key, "\0"), count_only: true }).count,
    ),
    leases: [...leases.all()].map(({ id }) => [`${id}`, leases.keys(id).map(text)]).sort(),
    digests: machine.digests(),
  };
}

/** Applies in slices. Calls `paused` in between; if it returns true, gives the entry up. */
function inSlices(
  machine: Machine,
  entry: Entry,
  { units, eventsMax, paused }: { units: number; eventsMax: number; paused(): boolean },
): Applied | undefined {
  let next = machine.begin(entry, { units, eventsMax, isAnswerWanted: () => true });
  while ("step" in next) {
    if (paused()) return undefined;
    next = next.step(units) ?? next;
  }
  return next;
}

test("an entry in slices ends as at once, is not seen before, and leaves nothing when given up", () => {
  let pauses = 0;
  let givenUp = 0;
  fc.assert(
    fc.property(
      fc.array(command({ compaction: 1 }), { minLength: 1, maxLength: 40, size: "max" }),
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 60, maxLength: 60 }),
      (drawn, units, dice) => {
        const whole = foundMachine(new JournalBackend());
        const backend = new JournalBackend();
        let sliced = foundMachine(backend);
        for (const [at, draw] of drawn.entries()) {
          const data = encodeCommand(draw(whole.kv.revision()));
          const entry = { index: whole.appliedIndex + 1, term: 2, type: EntryType.normal, data };
          const before = seen(sliced);
          let left = dice[at] === 0 ? 1 : Number.MAX_SAFE_INTEGER;
          const paused = (): boolean => {
            pauses++;
            expect(seen(sliced)).toEqual(before);
            return --left === 0;
          };
          const expected = whole.apply(entry);
          const way = { units, eventsMax: Number.MAX_SAFE_INTEGER, paused };
          let applied = inSlices(sliced, entry, way);
          if (applied === undefined) {
            givenUp++;
            sliced = reopen(backend);
            expect(seen(sliced)).toEqual(before);
            applied = inSlices(sliced, entry, { ...way, paused: () => false });
          }
          expect(applied).toEqual(expected);
          expect(seen(sliced)).toEqual(seen(whole));
        }
        expect(seen(reopen(backend))).toEqual(seen(whole));
      },
    ),
    { numRuns: runs(40, 100) },
  );
  expect(pauses).toBeGreaterThan(5);
  expect(givenUp).toBeGreaterThan(0);
});

test("an entry of many rows: packed, counted as before it, its events only by their span", () => {
  const backend = new JournalBackend();
  const machine = foundMachine(backend);
  const apply = (command: Parameters<typeof encodeCommand>[0], eventsMax: number) => {
    const data = encodeCommand(command);
    const entry = { index: machine.appliedIndex + 1, term: 2, type: EntryType.normal, data };
    const before = seen(machine);
    let pauses = 0;
    const paused = (): boolean => {
      if (pauses++ % 100 === 0) expect(seen(machine)).toEqual(before);
      return false;
    };
    const applied = inSlices(machine, entry, { units: 7, eventsMax, paused });
    return { applied: applied as Applied, pauses };
  };
  const keys = Array.from(
    { length: 3_000 },
    (_, at) => `k${`${(at * 7919) % 3_000}`.padStart(4, "0")}`,
  );
  for (const key of keys) applyCommand(machine, { $case: "put", value: putOf(key, key) });
  const all = { key: Buffer.from("k"), range_end: Buffer.from("l"), prev_kv: true };
  const { applied, pauses } = apply({ $case: "delete_range", value: all }, 100);
  expect(pauses).toBeGreaterThan(400);
  expect(applied.outcome).toMatchObject({ kind: "deleteRange", deleted: 3_000 });
  expect(applied.events).toEqual({
    ...{ revision: 3_002, events: [] },
    span: { from: "k0000", to: "k2999\0" },
  });
  expect(machine.kv.keyCount()).toBe(0);
  const told: string[] = [];
  let place = { revision: 3_002, sub: 0 };
  while (place.revision < 3_003) {
    const { revision: from, sub: fromSub } = place;
    const options = { from, fromSub, to: 3_003, revisionsMax: 5, eventsMax: 999 };
    place = machine.kv.history(options, ({ events }) =>
      told.push(...events.map((e) => text(e.key))),
    );
  }
  expect(told).toEqual([...keys].sort());
  expect(seen(reopen(backend))).toEqual(seen(machine));
});
