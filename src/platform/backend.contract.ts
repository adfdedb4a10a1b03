/**
 * The contract of backend.ts as tests, run against every implementation. Because of it the
 * simulator's backend can stand for the real one. Each property compares with a deliberately naive
 * model: one array of rows for what reads see, one for what is durable.
 */

import { describe, expect, test } from "vitest";
import {
  type BackendPlace,
  close,
  commit,
  copyTo,
  expectBytes,
  hex,
  put,
  scanAll,
  type Within,
} from "./backend.fixture.js";
import type { BackendReader } from "./backend.js";
import { describeHistories } from "./backend-histories.contract.js";
import { describeViews } from "./backend-views.contract.js";
import { RowRun } from "./row-run.js";
import { Bucket } from "./rows.js";

export function describeBackend(name: string, makePlace: () => BackendPlace): void {
  const within = async (body: (place: BackendPlace) => Promise<void>) => {
    const place = makePlace();
    try {
      await body(place);
    } finally {
      place.dispose();
    }
  };
  describe(`${name}: backend contract`, () => {
    describeRows(within);
    describeCommits(within);
    describeStore(within);
    describeViews(within);
    describeHistories(within);
  });
}

function describeRows(within: Within): void {
  test("rows of any key and value, stored or not, are read back in byte order", () =>
    within(async ({ store }) => {
      const backend = store.open("db");
      const keys = [[0], [0, 0], [0x7f], [0x7f, 0xff], [0x80], [0xff], [0xff, 0x00], [0xff, 0xff]]
        .map((bytes) => Uint8Array.from(bytes))
        .concat([new Uint8Array(511).fill(0xff)]);
      const values = keys.map((_, at) => new Uint8Array(at === 0 ? 0 : at * 100).fill(at));
      values[3] = new Uint8Array(1_572_864).fill(3);
      const check = () => {
        keys.forEach((key, at) => {
          expectBytes(backend.get(Bucket.lease, key), values[at]);
        });
        const rows = scanAll(backend, Bucket.lease);
        expect(rows.map(([key]) => key)).toEqual(keys.map(hex));
        expect(scanAll(backend, Bucket.lease, true)).toEqual(rows.toReversed());
        expect(backend.get(Bucket.alarm, keys[1] as Uint8Array)).toBeUndefined();
      };
      backend.write(
        keys.map((key, at) => put(Bucket.lease, key, values[at] as Uint8Array)).toReversed(),
      );
      check();
      const committed = commit(backend);
      check();
      await committed;
      check();
      await close(backend);
    }));

  test("the rows of a run are read, committed and stored; those of the same call hide them", () =>
    within(async ({ store, reopen }) => {
      const backend = store.open("db");
      const key = (at: number) => Uint8Array.of(at >> 8, at & 255);
      const run = new RowRun(Bucket.key);
      for (let at = 0; at < 3000; at++) {
        run.add(key(at), at % 7 === 0 ? undefined : Uint8Array.of(at % 5));
      }
      const own = (at: number) => (at === 7 || at === 8 ? 77 : undefined);
      const rows = [7, 8].map((at) => put(Bucket.key, key(at), Uint8Array.of(77)));
      backend.write([...rows, put(Bucket.meta, key(0), key(9))], run);
      const expected = Array.from({ length: 3000 }, (_, at) => at)
        .filter((at) => at % 7 !== 0 || at === 7)
        .map((at): [string, string] => [hex(key(at)), hex(Uint8Array.of(own(at) ?? at % 5))]);
      const check = (reader: BackendReader) => {
        expect(scanAll(reader, Bucket.key)).toEqual(expected);
        expectBytes(reader.get(Bucket.meta, key(0)), key(9));
      };
      check(backend);
      await commit(backend);
      check(backend);
      await close(backend);
      const again = reopen().open("db");
      check(again);
      await close(again);
    }));

  test("a write hides what is being committed, and what is stored, under the same key", () =>
    within(async ({ store }) => {
      const backend = store.open("db");
      const key = (at: number) => Uint8Array.of(at);
      const write = (keys: number[], value: number | undefined) =>
        backend.write(
          keys.map((at) => ({
            bucket: Bucket.key,
            key: key(at),
            value: value === undefined ? undefined : Uint8Array.of(value),
          })),
        );
      write([1, 2, 3, 4, 5, 6], 10);
      await commit(backend);
      write([2, 3, 4, 7], 20);
      write([5], undefined);
      const running = commit(backend);
      write([3, 5], 30);
      write([4, 8], undefined);
      const expected = { 1: 10, 2: 20, 3: 30, 5: 30, 6: 10, 7: 20 };
      const rows = Object.entries(expected).map(([at, value]) => [hex(key(+at)), hex(key(value))]);
      const check = () => {
        expect(scanAll(backend, Bucket.key)).toEqual(rows);
        expect(scanAll(backend, Bucket.key, true)).toEqual(rows.toReversed());
        for (let at = 0; at < 10; at += 1) {
          const value = expected[at as keyof typeof expected];
          expect(backend.get(Bucket.key, key(at))?.[0]).toBe(value);
        }
      };
      check();
      await running;
      check();
      await commit(backend);
      check();
      await close(backend);
    }));

  test("a bad key is refused and nothing of its unit is written", () =>
    within(async ({ store }) => {
      const backend = store.open("db");
      const good = put(Bucket.key, Uint8Array.of(1), Uint8Array.of(1));
      for (const length of [0, 512]) {
        const bad = put(Bucket.key, new Uint8Array(length), Uint8Array.of(1));
        expect(() => backend.write([good, bad])).toThrow("row key out of bounds");
      }
      expect(scanAll(backend, Bucket.key)).toEqual([]);
      await close(backend);
    }));

  test("bytes that were read do not change with later writes and reads", () =>
    within(async ({ store }) => {
      const backend = store.open("db");
      const [one, two] = [Uint8Array.of(1), Uint8Array.of(2)];
      backend.write([
        put(Bucket.key, one, Uint8Array.of(10)),
        put(Bucket.key, two, Uint8Array.of(20)),
      ]);
      await commit(backend);
      const first = backend.get(Bucket.key, one);
      const seen: Uint8Array[] = [];
      backend.scan(Bucket.key, { from: one }, (key, value) => seen.push(key, value) > 0);
      backend.get(Bucket.key, two);
      backend.write([put(Bucket.key, one, Uint8Array.of(11))]);
      await commit(backend);
      expectBytes(first, Uint8Array.of(10));
      expect(seen.map(hex)).toEqual(["01", "0a", "02", "14"]);
      await close(backend);
    }));
}

function describeCommits(within: Within): void {
  test("commit never calls back inside the call, and callbacks keep their order", () =>
    within(async ({ store }) => {
      const backend = store.open("db");
      const order: string[] = [];
      const commits = ["empty", "first", "second"].map((label, at) => {
        if (at > 0) backend.write([put(Bucket.key, Uint8Array.of(at), Uint8Array.of(at))]);
        return new Promise<void>((resolve) => {
          backend.commit(() => {
            order.push(label);
            resolve();
          });
        });
      });
      expect(order).toEqual([]);
      await Promise.all(commits);
      expect(order).toEqual(["empty", "first", "second"]);
      await close(backend);
    }));

  test("a snapshot is the last completed commit and stays so", () =>
    within(async ({ store }) => {
      const backend = store.open("db");
      const key = Uint8Array.of(1);
      const write = (value: number) => backend.write([put(Bucket.key, key, Uint8Array.of(value))]);
      write(1);
      const empty = backend.snapshot();
      const first = commit(backend);
      write(2);
      const duringFirst = backend.snapshot();
      await first;
      const afterFirst = backend.snapshot();
      await commit(backend);
      write(3);
      const afterSecond = backend.snapshot();
      await commit(backend);
      const values = [empty, duringFirst, afterFirst, afterSecond, backend].map(
        (reader) => reader.get(Bucket.key, key)?.[0],
      );
      expect(values).toEqual([undefined, undefined, 1, 2, 3]);
      expect(scanAll(afterFirst, Bucket.key)).toEqual([["01", "01"]]);
      for (const snapshot of [empty, duringFirst, afterFirst, afterSecond]) snapshot.close();
      expect(() => afterFirst.get(Bucket.key, key)).toThrow("closed snapshot");
      await close(backend);
    }));

  test("close waits for the running commit and drops what was not committed", () =>
    within(async ({ store, reopen }) => {
      const backend = store.open("db");
      backend.write([put(Bucket.key, Uint8Array.of(1), Uint8Array.of(1))]);
      let isDone = false;
      backend.commit((error) => {
        isDone = error === undefined;
      });
      backend.write([put(Bucket.key, Uint8Array.of(2), Uint8Array.of(2))]);
      await close(backend);
      expect(isDone).toBe(true);
      expect(() => backend.write([])).toThrow("closed backend");
      const again = reopen().open("db");
      expect(scanAll(again, Bucket.key)).toEqual([["01", "01"]]);
      await close(again);
    }));
}

function describeStore(within: Within): void {
  test("a close from inside a commit's done closes once", () =>
    within(async ({ store }) => {
      const backend = store.open("db");
      backend.write([{ bucket: Bucket.key, key: Uint8Array.of(1), value: Uint8Array.of(2) }]);
      let closed = 0;
      await new Promise<void>((resolve) => {
        backend.commit(() => {
          backend.close(() => {
            closed++;
            resolve();
          });
        });
      });
      const again = store.open("db");
      expect(again.get(Bucket.key, Uint8Array.of(1))).toEqual(Uint8Array.of(2));
      await new Promise<void>((resolve) => again.close(resolve));
      expect(closed).toBe(1);
    }));

  test("list, remove and reopen", () =>
    within(async ({ store, reopen }) => {
      expect(store.list()).toEqual([]);
      const [b, a] = [store.open("b"), store.open("a")];
      b.write([put(Bucket.meta, Uint8Array.of(1), Uint8Array.of(7))]);
      await commit(b);
      expect(store.list()).toEqual(["a", "b"]);
      await close(a);
      store.remove("a");
      store.remove("never-there");
      expect(store.list()).toEqual(["b"]);
      await close(b);
      const next = reopen();
      expect(next.list()).toEqual(["b"]);
      const again = next.open("b");
      expectBytes(again.get(Bucket.meta, Uint8Array.of(1)), Uint8Array.of(7));
      await close(again);
    }));

  test("copyTo makes a compact backend of the durable rows", () =>
    within(async ({ store, reopen }) => {
      const backend = store.open("db");
      const key = (at: number) => Uint8Array.of(at >> 8, at & 0xff);
      const rows = Array.from({ length: 2000 }, (_, at) =>
        put(Bucket.key, key(at), new Uint8Array(500).fill(at)),
      );
      backend.write(rows);
      await commit(backend);
      const full = backend.sizes();
      backend.write(rows.slice(10).map((row) => ({ ...row, value: undefined })));
      await commit(backend);
      const sparse = backend.sizes();
      expect(full.inUse).toBeGreaterThan(2000 * 500);
      expect(sparse.inUse).toBeLessThan(full.inUse / 10);
      expect(sparse.total).toBeGreaterThanOrEqual(full.inUse);
      const copied = copyTo(backend, "copy");
      backend.write([put(Bucket.key, key(5000), Uint8Array.of(1))]);
      expect(await copied).toBeUndefined();
      expect((await copyTo(backend, "copy"))?.message).toContain("exists already");
      await close(backend);
      const copy = reopen().open("copy");
      expect(copy.sizes().total).toBeLessThan(full.total / 10);
      expect(scanAll(copy, Bucket.key)).toHaveLength(10);
      expectBytes(copy.get(Bucket.key, key(9)), rows[9]?.value);
      await close(copy);
    }));
}
