/**
 * Uses that the `lmdb` package must survive, in combination: large puts, deletions of many pages,
 * copies, replacements, restarts. They run in separate processes, because a fault of the library
 * ends its process.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runs } from "../../../base/campaign.fixture.js";
import { type Backend, type BackendSnapshot, viewedCommitsMax } from "../../backend.js";
import { Bucket } from "../../rows.js";
import { createLmdbBackendStore } from "./backend.js";
import { isMadeHere } from "./made.js";

const child = join(import.meta.dirname, "maintenance.child.ts");
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lmdb-maintenance-"));
});
afterEach(() => rmSync(root, { recursive: true }));

test("put big, delete, defragment, delete hundreds of pages at once, restart, and again", async () => {
  expect(await runSequence("known")).toMatch(/^ok .*"defragment":6/);
}, 60_000);

const firstSeed = Number(process.env.LOCKSTEP_SEED ?? Date.now() % 1e6);
test(`random sequences keep every row (LOCKSTEP_SEED=${firstSeed})`, async () => {
  for (let round = 0; round < runs(1, 4); round++) {
    expect(await runSequence(`${firstSeed + round}`), `seed ${firstSeed + round}`).toMatch(/^ok /);
  }
}, 240_000);

test("a file that an earlier build defragmented is written anew before its first transaction", async () => {
  expect(await runSequence("earlier")).toMatch(/^ok /);
  const folder = join(root, "earlier");
  expect(isMadeHere(join(folder, "state-0.mdb"), "state-0")).toBe(true);
  expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
}, 60_000);

test("a file made here is not written anew at the next start, nor is its copy", async () => {
  const path = join(root, "db.mdb");
  const copy = join(root, "copy.mdb");
  let backend = createLmdbBackendStore(root).open("db");
  await write(backend, 500);
  await copyTo(backend, "copy");
  await close(backend);
  const inodes = [path, copy].map((file) => statSync(file).ino);
  const store = createLmdbBackendStore(root);
  for (const name of ["db", "copy"]) {
    backend = store.open(name);
    await write(backend, 300);
    await close(backend);
    expect(isMadeHere(join(root, `${name}.mdb`), name)).toBe(true);
  }
  expect([path, copy].map((file) => statSync(file).ino)).toEqual(inodes);
});

test("a file under another name is written anew, but not when it is only looked at", async () => {
  const backend = createLmdbBackendStore(root).open("db");
  await write(backend, 10);
  const rows = rowsOf(backend);
  await close(backend);
  const path = join(root, "other.mdb");
  renameSync(join(root, "db.mdb"), path);
  const { ino } = statSync(path);
  const store = createLmdbBackendStore(root);
  const looked = store.open("other", "read");
  expect(rowsOf(looked)).toEqual(rows);
  await close(looked);
  expect(statSync(path).ino).toBe(ino);
  const opened = store.open("other");
  expect(rowsOf(opened)).toEqual(rows);
  expect(isMadeHere(path, "other")).toBe(true);
  await close(opened);
});

test("a copy of many rows never holds the event loop for long, and is dense", async () => {
  const backend = createLmdbBackendStore(root).open("db");
  for (let round = 0; round < 4; round++) await write(backend, 10_000, round * 10_000);
  let slices = 0;
  let isDone = false;
  const count = (): void => {
    slices++;
    if (!isDone) setImmediate(count);
  };
  count();
  await copyTo(backend, "copy");
  isDone = true;
  // Other events had their turn at least this often: 40,000 rows are some dozen slices.
  expect(slices).toBeGreaterThan(20);
  const { inUse } = backend.sizes();
  await close(backend);
  expect(statSync(join(root, "copy.mdb")).size).toBeLessThan(inUse * 1.02);
  expect(existsSync(join(root, "copy.mdb.partial"))).toBe(false);
});

test("snapshots of one commit share a reader; of too many commits, the next commit fails and no more", async () => {
  const backend = createLmdbBackendStore(root).open("db");
  const many = Array.from({ length: 1000 }, () => backend.snapshot());
  await write(backend, 1);
  const views = [];
  let failure: Error | undefined;
  for (let at = 0; failure === undefined && at < 300; at++) {
    views.push(backend.snapshot());
    failure = await write(backend, 1, at).then(
      () => undefined,
      (error: Error) => error,
    );
  }
  expect(views.length).toBeGreaterThan(viewedCommitsMax);
  expect(failure?.message).toMatch(/READERS_FULL/);
  expect(rowsOf(views[5] as BackendSnapshot)).toBe(5);
  for (const view of [...many, ...views]) view.close();
  await close(backend);
  const again = createLmdbBackendStore(root).open("db");
  expect(rowsOf(again)).toBeGreaterThanOrEqual(viewedCommitsMax);
  await close(again);
});

async function runSequence(kind: string): Promise<string> {
  const folder = join(root, kind);
  const running = spawn(process.execPath, ["--import", "tsx", child, kind, folder], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [running.stdout, running.stderr]) {
    stream.on("data", (bytes: Buffer) => {
      output += bytes.toString();
    });
  }
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    running.on("close", (...end) => resolve(end));
  });
  return code === 0 ? output : `ended by ${signal ?? code}: ${output}`;
}

function write(backend: Backend, count: number, from = 0): Promise<void> {
  backend.write(
    Array.from({ length: count }, (_, place) => {
      const key = Buffer.alloc(4);
      key.writeUInt32BE(from + place);
      return { bucket: Bucket.key, key, value: new Uint8Array(256).fill(place) };
    }),
  );
  return new Promise((resolve, reject) => {
    backend.commit((error) => (error === undefined ? resolve() : reject(error)));
  });
}

function rowsOf(reader: Pick<Backend, "scan">): number {
  let rows = 0;
  reader.scan(Bucket.key, { from: new Uint8Array(0) }, () => ++rows > 0);
  return rows;
}

function copyTo(backend: Backend, into: string): Promise<void> {
  return new Promise((resolve, reject) => {
    backend.copyTo(into, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

function close(backend: Backend): Promise<void> {
  return new Promise((resolve) => {
    backend.close(resolve);
  });
}
