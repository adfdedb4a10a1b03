/** The contract of backend.ts for snapshots, copies and closing; a part of backend.contract.ts. */
import { expect, test } from "vitest";
import {
  close,
  commit,
  copyTo,
  put,
  rowsOf,
  scanAll,
  turns,
  type Within,
} from "./backend.fixture.js";
import { Bucket } from "./rows.js";

/** While snapshots are open, they keep their state, and their backend stays. */
export function describeViews(within: Within): void {
  test("a closed backend is gone only when its last snapshot is closed; they stay readable", () =>
    within(async ({ store }) => {
      const backend = store.open("db");
      const key = Uint8Array.of(1);
      backend.write([put(Bucket.key, key, Uint8Array.of(1))]);
      await commit(backend);
      const views = [backend.snapshot(), backend.snapshot()];
      backend.write([put(Bucket.key, key, Uint8Array.of(2))]);
      await commit(backend);
      views.push(backend.snapshot());
      let isClosed = false;
      const closed = close(backend).then(() => {
        isClosed = true;
      });
      expect(() => backend.get(Bucket.key, key)).toThrow("closed backend");
      expect(() => scanAll(backend, Bucket.key)).toThrow("closed backend");
      expect(() => backend.snapshot()).toThrow("closed backend");
      for (const view of views) {
        await turns(5);
        expect(isClosed).toBe(false);
        expect(() => store.remove("db")).toThrow("open backend");
        expect(view.get(Bucket.key, key)).toEqual(Uint8Array.of(view === views[2] ? 2 : 1));
        view.close();
        view.close();
      }
      await closed;
      store.remove("db");
      expect(store.list()).toEqual([]);
    }));

  test("a snapshot, and a copy of it, show the same while the backend goes on", () =>
    within(async ({ store }) => {
      const backend = store.open("db");
      const row = (at: number, value: number) =>
        put(Bucket.key, Uint8Array.of(at >> 8, at & 255), new Uint8Array(300).fill(value));
      backend.write(Array.from({ length: 3000 }, (_, at) => row(at, 1)));
      await commit(backend);
      const view = backend.snapshot();
      const before = rowsOf(view);
      const copied = copyTo(backend, "copy");
      for (let round = 2; round < 6; round++) {
        backend.write(Array.from({ length: 1000 }, (_, at) => row(at * 3 + round, round)));
        await commit(backend);
      }
      expect(await copied).toBeUndefined();
      expect(rowsOf(view)).toEqual(before);
      view.close();
      const copy = store.open("copy");
      expect(rowsOf(copy)).toEqual(before);
      await close(copy);
      await close(backend);
    }));

  test("a close while a copy runs ends both, and what is left of the copy is whole or nothing", () =>
    within(async ({ store, reopen }) => {
      const backend = store.open("db");
      const rows = Array.from({ length: 3000 }, (_, at) =>
        put(Bucket.key, Uint8Array.of(at >> 8, at & 255), new Uint8Array(300).fill(at)),
      );
      backend.write(rows);
      await commit(backend);
      const copied = copyTo(backend, "copy");
      await close(backend);
      const error = await copied;
      const next = reopen();
      expect(next.list()).toEqual(error === undefined ? ["copy", "db"] : ["db"]);
    }));
}
