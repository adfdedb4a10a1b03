/** An error in any callback reaches the owner, not the caller. */
import { expect, test } from "vitest";
import { describeBackend } from "../platform/backend.contract.js";
import type { Backend } from "../platform/backend.js";
import { describeDisk } from "../platform/disk.contract.js";
import type { Platform } from "../platform/platform.js";
import { createMemoryBackendStore } from "../verify/sim/platform/memory-backend.js";
import { MemoryDisk } from "../verify/sim/platform/memory-disk.js";
import { ownedPlatform } from "./owned-platform.js";

/** Over real ports it must be the port that it wraps: every argument goes through, every answer back. */
function over(ports: Partial<Platform>): Platform {
  return ownedPlatform(ports as Platform, (error) => {
    throw error;
  });
}

describeBackend("owned", () => {
  const defer = setImmediate;
  let store = createMemoryBackendStore({ defer });
  return {
    store: over({ backends: store }).backends,
    reopen: () => {
      const image = store.crashImages()[0];
      if (image === undefined) throw new Error("a closed store has an image");
      store = createMemoryBackendStore({ defer, image });
      return over({ backends: store }).backends;
    },
    dispose: () => {},
  };
});

describeDisk("owned", () => {
  const queue: (() => void)[] = [];
  const disk = new MemoryDisk((fn) => queue.push(fn));
  const owned = () => over({ disk }).disk;
  const settle = () => {
    for (let fn = queue.shift(); fn !== undefined; fn = queue.shift()) fn();
  };
  return { disk: owned(), again: owned, settle, dispose: () => {} };
});

type Callback = (...told: unknown[]) => void;

/** A platform that keeps the callbacks it is given. */
function platformOf(kept: Callback[]): Platform {
  const keep = (fn: Callback): void => void kept.push(fn);
  const backend = {
    commit: keep,
    copyTo: (_into: string, done: Callback) => keep(done),
    close: keep,
  } as unknown as Backend;
  return {
    clock: { after: (_ms: number, fn: Callback) => keep(fn), defer: keep },
    disk: {
      open: () => ({
        sync: keep,
        writeAndSync: (_position: number, _bytes: Uint8Array, done: Callback) => keep(done),
      }),
    },
    backends: { open: () => backend, probe: (_name: string, done: Callback) => keep(done) },
  } as unknown as Platform;
}

const uses: Readonly<Record<string, (platform: Platform, fn: () => void) => void>> = {
  "a timer": ({ clock }, fn) => void clock.after(1, fn),
  "deferred work": ({ clock }, fn) => clock.defer(fn),
  "a sync of a file": ({ disk }, fn) => disk.open("a", "create").sync(fn),
  "a durable write": ({ disk }, fn) =>
    disk.open("a", "create").writeAndSync(0, new Uint8Array(1), fn),
  "a commit": ({ backends }, fn) => backends.open("a").commit(fn),
  "a copy": ({ backends }, fn) => backends.open("a").copyTo("b", fn),
  "the end of a backend": ({ backends }, fn) => backends.open("a").close(fn),
  "a look at a backend": ({ backends }, fn) => backends.probe("a", fn),
};

test.each(Object.entries(uses))("%s", (_name, use) => {
  const kept: Callback[] = [];
  const told: Error[] = [];
  let calls = 0;
  use(
    ownedPlatform(platformOf(kept), (error) => told.push(error)),
    () => {
      calls++;
      throw calls === 1 ? new TypeError("a bug") : "not even an error";
    },
  );
  expect(kept).toHaveLength(1);
  for (const fn of [...kept, ...kept]) expect(() => fn()).not.toThrow();
  expect(told.map(({ message }) => message)).toEqual(["a bug", "not even an error"]);
});

test("syncs of the log and commits are timed, syncs of other files are not", () => {
  let nowMs = 10;
  const kept: Callback[] = [];
  const platform = { ...platformOf(kept), clock: { now: () => nowMs } } as unknown as Platform;
  const times: string[] = [];
  const owned = ownedPlatform(platform, () => {}, {
    synced: (ms) => times.push(`sync ${ms}`),
    committed: (ms) => times.push(`commit ${ms}`),
  });
  const told: string[] = [];
  owned.disk.open("wal/1", "create").sync(() => told.push("log"));
  owned.disk.open("other", "create").sync(() => told.push("file"));
  owned.backends.open("a").commit(() => told.push("backend"));
  nowMs = 17;
  for (const done of kept) done();
  expect(times).toEqual(["sync 7", "commit 7"]);
  expect(told).toEqual(["log", "file", "backend"]);
});
