/** Compares the machine with the plain model, and with itself after a crash. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { runs } from "../base/campaign.fixture.js";
import { Bucket } from "../platform/rows.js";
import type { Machine } from "./apply.js";
import { scanDigests } from "./digest.js";
import { KvModel, order, type Version } from "./kv-model.fixture.js";
import {
  applyCommand,
  applyData,
  type Command,
  encodeCommand,
  foundMachine,
  JournalBackend,
  putOf,
  rangeOf,
  reopen,
  sha256,
  text,
  txnOf,
} from "./machine.fixture.js";
import { decodeRevision } from "./mvcc/revision-key.js";
import {
  attempt,
  attemptModel,
  command,
  type Drawn,
  range,
  runModel,
  shown,
  shownKv,
} from "./operations.fixture.js";
import { RowReader } from "./rows.js";
import type { RevisionEvents } from "./types.js";

const everything = rangeOf("\0", "\0");

function compactStep(revision: number, rowsMax: number): Command {
  return { $case: "compact_step", value: { revision: BigInt(revision), rows_max: rowsMax } };
}

/**
 * Makes as many rows in one revision as a compaction's own entry looks at. Then compactions of
 * later revisions need further steps.
 */
const fill: Command = {
  $case: "txn",
  value: txnOf({
    success: Array.from({ length: 1_000 }, (_, at) => ({
      request: { $case: "request_put", value: putOf(`fill/${at}`, "") },
    })),
  }),
};

/** Steps until the compaction is physically complete. */
function finishCompaction(machine: Machine, rowsMax: number): void {
  const { kv } = machine;
  for (let steps = 0; kv.finishedCompactRevision() < kv.compactRevision(); steps++) {
    if (steps > 10_000) throw new Error("the compaction does not end");
    applyCommand(machine, compactStep(kv.compactRevision(), rowsMax));
  }
}

function eventsOf(versions: readonly Version[]): object[] {
  const revisions = new Map<number, object[]>();
  for (const { key, main, kv } of versions) {
    const tombstone = { key, create: 0, mod: main, version: 0, value: "", lease: 0n };
    const event =
      kv === undefined
        ? { type: "delete", key, kv: tombstone, isCreate: false }
        : { type: "put", key, kv, isCreate: kv.version === 1 };
    revisions.set(main, [...(revisions.get(main) ?? []), event]);
  }
  return [...revisions].map(([revision, events]) => ({ revision, events }));
}

function shownEvents({ revision, events }: RevisionEvents): object {
  return {
    revision,
    events: events.map((event) => ({ ...event, key: text(event.key), kv: shownKv(event.kv) })),
  };
}

function expectReadsEqual(machine: Machine, model: KvModel): void {
  expect(machine.kv.revision()).toBe(model.revision);
  expect(machine.kv.compactRevision()).toBe(Math.max(0, model.compactRevision));
  expect(machine.kv.keyCount()).toBe(model.at(model.revision).length);
  for (let revision = model.compactRevision; revision <= model.revision + 1; revision++) {
    const request = { ...everything, revision: BigInt(revision) };
    const answer = attempt(() => machine.kv.range(request));
    expect(answer).toEqual(attemptModel(() => model.range(request)));
  }
  for (const id of model.leases) {
    expect(machine.leases.keys(id).map(text)).toEqual(model.keysOf(id));
  }
}

function stateOf(machine: Machine): object {
  const { kv } = machine;
  const versions: object[] = [];
  kv.history({ from: kv.compactRevision(), to: kv.revision() + 1, revisionsMax: 1e9 }, (each) => {
    versions.push(shownEvents(each));
  });
  return {
    versions,
    now: shown(kv.range(everything)),
    numbers: [kv.revision(), kv.compactRevision(), kv.finishedCompactRevision(), kv.keyCount()],
    leases: [...machine.leases.all()]
      .map(({ id }) => [id, machine.leases.keys(id).map(text)] as const)
      .sort(([a], [b]) => order(a, b)),
    digests: machine.digests(),
    conf: machine.confState,
  };
}

const sequence = (length: number, compaction: number): fc.Arbitrary<Drawn<Command>[]> =>
  fc.array(command({ compaction }), { minLength: 1, maxLength: length, size: "max" });

test("every answer, event and historical read is the model's", () => {
  fc.assert(
    fc.property(sequence(40, 1), fc.array(range, { maxLength: 8 }), (drawn, ranges) => {
      const machine = foundMachine(new JournalBackend());
      const model = new KvModel();
      for (const draw of drawn) {
        const before = model.versions.length;
        const op = draw(model.revision);
        const expected = runModel(model, op);
        const applied = applyCommand(machine, op);
        expect(shown(applied.outcome)).toEqual(expected);
        expect(applied.revision).toBe(model.revision);
        const events = eventsOf(model.versions.slice(before));
        expect(applied.events === undefined ? [] : [shownEvents(applied.events)]).toEqual(events);
      }
      expectReadsEqual(machine, model);
      for (const draw of ranges) {
        const request = draw(model.revision);
        const answer = attempt(() => machine.kv.range(request));
        expect(answer).toEqual(attemptModel(() => model.range(request)));
      }
    }),
    { numRuns: 400 },
  );
});

test("history tells every change from the compact revision on, in portions", () => {
  fc.assert(
    fc.property(sequence(30, 1), fc.integer({ min: 1, max: 5 }), (drawn, revisionsMax) => {
      const machine = foundMachine(new JournalBackend());
      const model = new KvModel();
      for (const draw of drawn) {
        const op = draw(model.revision);
        runModel(model, op);
        applyCommand(machine, op);
      }
      const told: object[] = [];
      const to = model.revision + 1;
      let from = Math.max(0, model.compactRevision);
      while (from < to) {
        let visited = 0;
        const next = machine.kv.history({ from, to, revisionsMax }, (events) => {
          visited++;
          told.push(shownEvents(events));
        });
        expect(visited).toBeLessThanOrEqual(revisionsMax);
        expect(next.revision).toBeGreaterThan(from);
        from = next.revision;
      }
      const since = model.keptVersions().filter(({ main }) => main >= model.compactRevision);
      expect(told).toEqual(eventsOf(since));
    }),
    { numRuns: 200 },
  );
});

test("compaction leaves exactly the rows it must, whatever its steps, and no read changes", () => {
  fc.assert(
    fc.property(sequence(40, 3), fc.integer({ min: 1, max: 7 }), (drawn, rowsMax) => {
      const backend = new JournalBackend();
      const machine = foundMachine(backend);
      const model = new KvModel();
      runModel(model, fill);
      applyCommand(machine, fill);
      for (const draw of drawn) {
        const op = draw(model.revision);
        runModel(model, op);
        applyCommand(machine, op);
        applyCommand(machine, compactStep(machine.kv.compactRevision(), rowsMax));
      }
      finishCompaction(machine, rowsMax);
      expectReadsEqual(machine, model);
      const rows: object[] = [];
      new RowReader(backend).scan(Bucket.key, { from: new Uint8Array(0) }, (key) => {
        rows.push(decodeRevision(key));
        return true;
      });
      const kept = model.keptVersions().map(({ main, sub, kv }) => ({
        main,
        sub,
        isTombstone: kv === undefined,
      }));
      expect(rows).toEqual(kept);
      expect(scanDigests(backend, sha256)).toEqual(machine.digests().buckets);
    }),
    { numRuns: runs(8, 20) },
  );
});

test("a state restored from any crash image goes on like the one that did not crash", () => {
  fc.assert(
    fc.property(sequence(30, 4), fc.nat(), fc.boolean(), (drawn, at, isFilled) => {
      const backend = new JournalBackend();
      const live = foundMachine(backend);
      const entries: Uint8Array[] = [];
      const states = [stateOf(live)];
      const apply = (op: Command): void => {
        const data = encodeCommand(op);
        entries.push(data);
        applyData(live, data);
        states.push(stateOf(live));
      };
      if (isFilled) apply(fill);
      for (const draw of drawn) {
        apply(draw(live.kv.revision()));
        apply(compactStep(live.kv.compactRevision(), 3));
      }
      expect(backend.writes.length).toBe(entries.length + 1);
      const saved = at % (entries.length + 1);
      const image = backend.image(saved + 1);
      const restored = reopen(image);
      expect(stateOf(restored)).toEqual(states[saved]);
      expect(scanDigests(image, sha256)).toEqual(restored.digests().buckets);
      entries.slice(saved).forEach((data, number) => {
        applyData(restored, data);
        expect(restored.digests()).toEqual(
          (states[saved + number + 1] as { digests: object }).digests,
        );
      });
      expect(stateOf(restored)).toEqual(states.at(-1));
    }),
    { numRuns: runs(25, 60) },
  );
});
