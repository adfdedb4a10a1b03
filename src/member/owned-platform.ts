/**
 * Wraps a platform so that each callback has an owner. What a callback throws goes to `failed`; it
 * never reaches the library or the event loop that ran the callback. This covers timers, deferred
 * work, the disk, the backends and credentials. The member wraps the callbacks of the network itself (start.ts).
 */
import type { Backend, BackendStore } from "../platform/backend.js";
import { type Clock, ownedClock } from "../platform/clock.js";
import type { Passwords, TokenSigner } from "../platform/credentials.js";
import type { Disk, DiskFile } from "../platform/disk.js";
import type { Platform } from "../platform/platform.js";

const logFolder = "wal/";

/** Takes the error. Throws it again if no part is left that can own it. */
export type Failed = (error: Error) => void;
type Own = <Told extends unknown[]>(fn: (...told: Told) => void) => (...told: Told) => void;

/** Milliseconds that the platform took. */
export interface PlatformTimes {
  /** Called after a sync of the write-ahead log. */
  synced(ms: number): void;
  /** Called after a commit of a backend. */
  committed(ms: number): void;
}

export function ownedPlatform(platform: Platform, failed: Failed, times?: PlatformTimes): Platform {
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
    disk: ownedDisk(platform.disk, own, timed(platform.clock, times?.synced)),
    backends: ownedBackends(platform.backends, own, timed(platform.clock, times?.committed)),
    passwords: ownedPasswords(platform.passwords, own),
    signer: platform.signer && ownedSigner(platform.signer, own),
    connect: (handler) => platform.connect(handler),
    log: (level, message, fields) => platform.log(level, message, fields),
  };
}

/** Wraps the callback of a piece of work that begins now. */
type Timed = <Told extends unknown[]>(done: (...told: Told) => void) => (...told: Told) => void;

const untimed: Timed = (done) => done;

function timed(clock: Clock, took: ((ms: number) => void) | undefined): Timed {
  if (took === undefined) return untimed;
  return (done) => {
    const sinceMs = clock.now();
    return (...told) => {
      took(clock.now() - sinceMs);
      done(...told);
    };
  };
}

function ownedPasswords(passwords: Passwords, own: Own): Passwords {
  return {
    hash: (password, cost, done) => passwords.hash(password, cost, own(done)),
    fits: (password, hash, done) => passwords.fits(password, hash, own(done)),
    close: () => passwords.close(),
  };
}

function ownedSigner(signer: TokenSigner, own: Own): TokenSigner {
  return {
    sign: (claims, done) => signer.sign(claims, own(done)),
    verify: (token, done) => signer.verify(token, own(done)),
  };
}

/** Wraps the disk. All arguments go through, also those that a port gains later. */
function ownedDisk(disk: Disk, own: Own, timedSync: Timed): Disk {
  return {
    list: (...what) => disk.list(...what),
    exists: (...what) => disk.exists(...what),
    makeDir: (...what) => disk.makeDir(...what),
    remove: (...what) => disk.remove(...what),
    rename: (...what) => disk.rename(...what),
    syncDir: (...what) => disk.syncDir(...what),
    open: (path, ...how) => {
      const isLog = path.startsWith(logFolder);
      return ownedFile(disk.open(path, ...how), own, isLog ? timedSync : untimed);
    },
    lock: () => disk.lock(),
    close: (done) => disk.close(done && own(done)),
  };
}

function ownedFile(file: DiskFile, own: Own, timedSync: Timed): DiskFile {
  return {
    size: () => file.size(),
    read: (...what) => file.read(...what),
    write: (...what) => file.write(...what),
    sync: (done) => file.sync(own(timedSync(done))),
    writeAndSync: (position, bytes, done) =>
      file.writeAndSync(position, bytes, own(timedSync(done))),
    writeAhead: (position, bytes) => file.writeAhead(position, bytes),
    syncNow: () => file.syncNow(),
    allocate: (...what) => file.allocate(...what),
    close: () => file.close(),
  };
}

function ownedBackends(backends: BackendStore, own: Own, timedCommit: Timed): BackendStore {
  return {
    open: (...how) => ownedBackend(backends.open(...how), own, timedCommit),
    probe: (name, done) => backends.probe(name, own(done)),
    list: () => backends.list(),
    remove: (name) => backends.remove(name),
  };
}

function ownedBackend(backend: Backend, own: Own, timedCommit: Timed): Backend {
  return {
    get: (...what) => backend.get(...what),
    scan: (...what) => backend.scan(...what),
    write: (...what) => backend.write(...what),
    commit: (done) => backend.commit(own(timedCommit(done))),
    snapshot: () => backend.snapshot(),
    sizes: () => backend.sizes(),
    copyTo: (into, done) => backend.copyTo(into, own(done)),
    close: (done) => backend.close(own(done)),
  };
}
