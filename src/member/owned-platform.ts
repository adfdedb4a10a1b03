/**
 * Wraps a platform so that each callback has an owner. What a callback throws goes to `failed`; it
 * never reaches the library or the event loop that ran the callback. This covers timers, deferred
 * work, the disk and the backends. The member wraps the callbacks of the network itself (start.ts).
 */
import type { Backend, BackendStore } from "../platform/backend.js";
import type { Clock } from "../platform/clock.js";
import type { Disk, DiskFile } from "../platform/disk.js";
import type { Platform } from "../platform/platform.js";

/** Takes the error. Throws it again if no owner is left. */
export type Failed = (error: Error) => void;
type Own = <Told extends unknown[]>(fn: (...told: Told) => void) => (...told: Told) => void;

export function ownedPlatform(platform: Platform, failed: Failed): Platform {
  const own: Own =
    (fn) =>
    (...told) => {
      try {
        fn(...told);
      } catch (error) {
        failed(error instanceof Error ? error : new Error(String(error)));
      }
    };
  return {
    rng: platform.rng,
    hash: platform.hash,
    clock: ownedClock(platform.clock, own),
    disk: ownedDisk(platform.disk, own),
    backends: ownedBackends(platform.backends, own),
    connect: (handler) => platform.connect(handler),
    log: (level, message, fields) => platform.log(level, message, fields),
  };
}

function ownedClock(clock: Clock, own: Own): Clock {
  return {
    now: () => clock.now(),
    unixMs: () => clock.unixMs(),
    after: (delayMs, fn) => clock.after(delayMs, own(fn)),
    defer: (fn) => clock.defer(own(fn)),
  };
}

function ownedDisk(disk: Disk, own: Own): Disk {
  return {
    list: (dir) => disk.list(dir),
    exists: (path) => disk.exists(path),
    makeDir: (dir) => disk.makeDir(dir),
    remove: (path) => disk.remove(path),
    rename: (from, to) => disk.rename(from, to),
    syncDir: (dir) => disk.syncDir(dir),
    open: (path, mode) => ownedFile(disk.open(path, mode), own),
    lock: () => disk.lock(),
    close: () => disk.close(),
  };
}

function ownedFile(file: DiskFile, own: Own): DiskFile {
  return {
    size: () => file.size(),
    read: (position, length) => file.read(position, length),
    write: (position, bytes) => file.write(position, bytes),
    sync: (done) => file.sync(own(done)),
    syncNow: () => file.syncNow(),
    allocate: (bytes) => file.allocate(bytes),
    close: () => file.close(),
  };
}

function ownedBackends(backends: BackendStore, own: Own): BackendStore {
  return {
    open: (...how) => ownedBackend(backends.open(...how), own),
    probe: (name, done) => backends.probe(name, own(done)),
    list: () => backends.list(),
    remove: (name) => backends.remove(name),
  };
}

function ownedBackend(backend: Backend, own: Own): Backend {
  return {
    get: (bucket, key) => backend.get(bucket, key),
    scan: (bucket, range, visit) => backend.scan(bucket, range, visit),
    write: (rows) => backend.write(rows),
    commit: (done) => backend.commit(own(done)),
    snapshot: () => backend.snapshot(),
    sizes: () => backend.sizes(),
    copyTo: (into, done) => backend.copyTo(into, own(done)),
    close: (done) => backend.close(own(done)),
  };
}
