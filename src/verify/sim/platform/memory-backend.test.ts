import { describe, expect, test } from "vitest";
import { describeBackend } from "../../../platform/backend.contract.js";
import type { Backend } from "../../../platform/backend.js";
import { Bucket } from "../../../platform/rows.js";
import { createMemoryBackendStore, type MemoryBackendStore } from "./memory-backend.js";
import type { StoreImage } from "./memory-backend-file.js";

describeBackend("memory", () => {
  const defer = setImmediate;
  let store: MemoryBackendStore = createMemoryBackendStore({ defer });
  return {
    store,
    reopen: () => {
      const [image, ...more] = store.crashImages();
      if (image === undefined || more.length > 0) throw new Error("a closed store has one image");
      store = createMemoryBackendStore({ defer, image });
      return store;
    },
    dispose: () => {},
  };
});

describe("memory: crash images", () => {
  test("are the old slot, and the new one while a commit is in flight", () => {
    const { store, backend, run } = start();
    writeUnit(backend, 1);
    expect(lastOf(store.crashImages())).toEqual([undefined]);
    backend.commit(() => {});
    writeUnit(backend, 2);
    expect(lastOf(store.crashImages())).toEqual([undefined, 1]);
    run();
    expect(lastOf(store.crashImages())).toEqual([1]);
    backend.commit(() => {});
    writeUnit(backend, 3);
    expect(lastOf(store.crashImages())).toEqual([1, 2]);
  });

  test("are frozen, and hold whole units", () => {
    const { store, backend, run } = start();
    writeUnit(backend, 1);
    backend.commit(() => {});
    const images = store.crashImages();
    run();
    writeUnit(backend, 2);
    backend.commit(() => {});
    run();
    expect(lastOf(images)).toEqual([undefined, 1]);
    for (const image of images) {
      const reopened = createMemoryBackendStore({ defer: () => {}, image }).open("db");
      const last = reopened.get(Bucket.meta, lastKey)?.[0] ?? 0;
      expect(reopened.get(Bucket.key, Uint8Array.of(1))).toEqual(last === 1 ? lastKey : undefined);
    }
  });

  test("hold a copy in flight completely or not at all", () => {
    const { store, backend, run } = start();
    writeUnit(backend, 1);
    backend.commit(() => {});
    run();
    const errors: (Error | undefined)[] = [];
    backend.copyTo("copy", (error) => errors.push(error));
    const names = () => store.crashImages().map((image) => [...image.keys()]);
    expect(names()).toEqual([["db"], ["db", "copy"]]);
    expect(store.list()).toEqual(["db"]);
    run();
    expect(errors).toEqual([undefined]);
    expect(names()).toEqual([["db", "copy"]]);
    expect(store.list()).toEqual(["copy", "db"]);
  });

  test("nothing completes after a crash", () => {
    const { store, backend, run } = start();
    writeUnit(backend, 1);
    let isDone = false;
    backend.commit(() => {
      isDone = true;
    });
    store.crash();
    run();
    expect(isDone).toBe(false);
    expect(lastOf(store.crashImages())).toEqual([undefined, 1]);
  });
});

describe("memory: faults", () => {
  test("a failed commit keeps the durable state, stays readable, and stops the backend", () => {
    const { store, backend, run } = start();
    writeUnit(backend, 1);
    backend.commit(() => {});
    run();
    const failure = new Error("ENOSPC");
    store.faults.failNextCommit("db", failure);
    writeUnit(backend, 2);
    const errors: (Error | undefined)[] = [];
    backend.commit((error) => errors.push(error));
    backend.commit((error) => errors.push(error));
    run();
    backend.commit((error) => errors.push(error));
    run();
    expect(errors).toEqual([failure, failure, failure]);
    expect(() => writeUnit(backend, 3)).toThrow(failure);
    expect(backend.get(Bucket.meta, lastKey)).toEqual(Uint8Array.of(2));
    expect(lastOf(store.crashImages())).toEqual([1]);
    let isClosed = false;
    backend.close(() => {
      isClosed = true;
    });
    run();
    expect(isClosed).toBe(true);
  });

  test("a flipped bit is seen at once and in every image that shares the row", () => {
    const { store, backend, run } = start();
    for (const unit of [1, 2]) {
      writeUnit(backend, unit);
      backend.commit(() => {});
      run();
    }
    writeUnit(backend, 3);
    backend.commit(() => {});
    const key = store.faults.flipBit("db", { bucket: Bucket.key, row: 4, bit: 15 });
    expect(key).toEqual(Uint8Array.of(1));
    const flipped = Uint8Array.of(0x81);
    expect(backend.get(Bucket.key, Uint8Array.of(1))).toEqual(flipped);
    for (const image of store.crashImages()) {
      const rows = image.get("db")?.current;
      expect(rows?.get(Bucket.key, Uint8Array.of(1))).toEqual(flipped);
      expect(rows?.get(Bucket.key, Uint8Array.of(2))).toEqual(Uint8Array.of(2));
    }
    run();
    expect(backend.get(Bucket.key, Uint8Array.of(1))).toEqual(flipped);
    expect(store.faults.flipBit("db", { bucket: Bucket.lease, row: 0, bit: 0 })).toBeUndefined();
  });

  test("a stale image is the commit before the last", () => {
    const { store, backend, run } = start();
    for (const unit of [1, 2, 3]) {
      writeUnit(backend, unit);
      backend.commit(() => {});
      run();
    }
    const [image] = store.crashImages();
    const restarted = createMemoryBackendStore({ defer: () => {}, image: image as StoreImage });
    restarted.faults.swapStale("db");
    expect(restarted.open("db").get(Bucket.meta, lastKey)).toEqual(Uint8Array.of(2));
    expect(lastOf(store.crashImages())).toEqual([3]);
  });
});

const lastKey = Uint8Array.of(1);

/** `run` calls all deferred callbacks. */
function start() {
  let deferred: (() => void)[] = [];
  const store = createMemoryBackendStore({ defer: (fn) => deferred.push(fn) });
  const run = () => {
    while (deferred.length > 0) {
      const due = deferred;
      deferred = [];
      for (const fn of due) fn();
    }
  };
  return { store, backend: store.open("db"), run };
}

function writeUnit(backend: Backend, unit: number): void {
  const number = Uint8Array.of(unit);
  backend.write([
    { bucket: Bucket.key, key: number, value: number },
    { bucket: Bucket.meta, key: lastKey, value: number },
  ]);
}

/** The last unit of each image. */
function lastOf(images: readonly StoreImage[]): (number | undefined)[] {
  return images.map((image) => image.get("db")?.current.get(Bucket.meta, lastKey)?.[0]);
}
