/**
 * The contract of backend.ts for any history of writes, compared with a model; a part of
 * backend.contract.ts.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { runs } from "../base/campaign.fixture.js";
import {
  type BackendPlace,
  close,
  commit,
  expectBytes,
  hex,
  rowsOf,
  type Within,
} from "./backend.fixture.js";
import type { Backend, BackendReader } from "./backend.js";
import { Bucket, type RowWrite } from "./rows.js";

export function describeHistories(within: Within): void {
  test(
    "any history of writes, commits, snapshots and reopening matches the model",
    () =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) =>
          within(async (place) => {
            const history = new History(place);
            for (const each of steps) await history.run(each);
            await history.end();
          }),
        ),
        { numRuns: runs(20, 60) },
      ),
    180_000,
  );
}

const modelKey = fc
  .uint8Array({ minLength: 1, maxLength: 2 })
  .map((key) => key.map((b) => b & 0xc1));
const modelRow = fc.record({
  bucket: fc.constantFrom(Bucket.meta, Bucket.key),
  key: modelKey,
  value: fc.option(fc.uint8Array({ maxLength: 3 }), { nil: undefined, freq: 3 }),
});
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(modelRow, { maxLength: 4 })
      .map((rows) => ({ kind: "write", rows }) as const),
  },
  { weight: 3, arbitrary: fc.constant({ kind: "commit" } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: "await" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "snapshot" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" } as const) },
  {
    weight: 4,
    arbitrary: fc
      .record({
        from: modelKey,
        to: fc.option(modelKey, { nil: undefined }),
        reverse: fc.boolean(),
        limit: fc.integer({ min: 1, max: 4 }),
      })
      .map((scan) => ({ kind: "scan", scan }) as const),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Rows by bucket and key, in hex; a new Map for each state. */
type Model = ReadonlyMap<string, string>;

class History {
  readonly #place: BackendPlace;
  #backend: Backend;
  #model: Model = new Map();
  #durable: Model = new Map();
  /** The model after each write since the last reopening. */
  #versions: Model[] = [this.#model];
  #snapshots: { readonly reader: BackendReader & { close(): void }; readonly model: Model }[] = [];
  #commits: Promise<void>[] = [];

  constructor(place: BackendPlace) {
    this.#place = place;
    this.#backend = place.store.open("db");
  }

  async run(each: Step): Promise<void> {
    if (each.kind === "write") this.#write(each.rows);
    else if (each.kind === "commit") this.#commit();
    else if (each.kind === "await") await Promise.all(this.#commits);
    else if (each.kind === "snapshot") {
      this.#snapshots.push({ reader: this.#backend.snapshot(), model: this.#durable });
    } else if (each.kind === "reopen") await this.#reopen();
    else {
      for (const reader of [this.#backend, ...this.#snapshots.map((s) => s.reader)]) {
        const model = this.#snapshots.find((s) => s.reader === reader)?.model ?? this.#model;
        expect(scanSome(reader, each.scan)).toEqual(modelScan(model, each.scan));
      }
    }
    this.#check();
  }

  async end(): Promise<void> {
    await this.#reopen();
    this.#check();
    await close(this.#backend);
  }

  #write(rows: readonly RowWrite[]): void {
    this.#backend.write(rows);
    this.#model = modelWrite(this.#model, rows);
    this.#versions.push(this.#model);
  }

  /**
   * A commit must save everything up to it. It may save whole later units, but never a part of one.
   */
  #commit(): void {
    const version = this.#versions.length - 1;
    const done = commit(this.#backend, () => {
      const snapshot = this.#backend.snapshot();
      this.#durable = new Map(rowsOf(snapshot));
      snapshot.close();
      const allowed = this.#versions.slice(version).map((model) => [...model]);
      expect(allowed).toContainEqual([...this.#durable]);
    });
    this.#commits.push(done);
  }

  async #reopen(): Promise<void> {
    for (const { reader } of this.#snapshots) reader.close();
    this.#snapshots = [];
    await Promise.all(this.#commits);
    this.#commits = [];
    await close(this.#backend);
    this.#backend = this.#place.reopen().open("db");
    this.#model = this.#durable;
    this.#versions = [this.#model];
  }

  #check(): void {
    expect(rowsOf(this.#backend)).toEqual([...this.#model]);
    for (const { reader, model } of this.#snapshots) expect(rowsOf(reader)).toEqual([...model]);
    for (const [at, value] of this.#model) {
      const bucket = Number(at[0]) as Bucket;
      expectBytes(
        this.#backend.get(bucket, Buffer.from(at.slice(1), "hex")),
        Buffer.from(value, "hex"),
      );
    }
  }
}

function modelWrite(model: Model, rows: readonly RowWrite[]): Model {
  const next = new Map(model);
  for (const { bucket, key, value } of rows) {
    if (value === undefined) next.delete(bucket + hex(key));
    else next.set(bucket + hex(key), hex(value));
  }
  return sorted(next);
}

function sorted(model: Model): Model {
  return new Map([...model].sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface LimitedScan {
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
  readonly reverse: boolean;
  readonly limit: number;
}

function scanSome(reader: BackendReader, scan: LimitedScan): [string, string][] {
  const rows: [string, string][] = [];
  reader.scan(Bucket.key, scan, (key, value) => {
    rows.push([hex(key), hex(value)]);
    return rows.length < scan.limit;
  });
  return rows;
}

function modelScan(model: Model, { from, to, reverse, limit }: LimitedScan): [string, string][] {
  const rows = [...model]
    .filter(([at]) => at[0] === String(Bucket.key))
    .map(([at, value]): [string, string] => [at.slice(1), value])
    .filter(([key]) => key >= hex(from) && (to === undefined || key < hex(to)));
  return (reverse ? rows.toReversed() : rows).slice(0, limit);
}
