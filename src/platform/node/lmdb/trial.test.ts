/** Files that end the process that reads them are found without ending this process. */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DamageError } from "../../../base/errors.js";
import { Bucket } from "../../rows.js";
import { createLmdbBackendStore } from "./backend.js";

const pageBytes = 4_096;
let root: string;
let path: string;

async function close(backend: { close(done: () => void): void }): Promise<void> {
  await new Promise<void>((resolve) => backend.close(resolve));
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "lmdb-trial-"));
  path = join(root, "db.mdb");
  const backend = createLmdbBackendStore(root).open("db");
  for (let i = 0; i < 2_000; i++) {
    const key = Buffer.from(String(i).padStart(6, "0"));
    backend.write([{ bucket: Bucket.key, key, value: Buffer.alloc(300, i) }]);
  }
  await new Promise<void>((resolve, reject) => {
    backend.commit((error) => (error === undefined ? resolve() : reject(error)));
  });
  await close(backend);
});
afterEach(() => rmSync(root, { recursive: true }));

test("a file that was cut is damage, at any length", () => {
  const whole = readFileSync(path);
  for (const share of [0.9, 0.7, 0.5, 0.3]) {
    writeFileSync(path, whole);
    truncateSync(path, Math.floor((whole.length * share) / pageBytes) * pageBytes);
    expect(() => createLmdbBackendStore(root).open("db")).toThrow(DamageError);
  }
});

test("pages of another kind are damage, of a large file once a process has died of them", () => {
  const bytes = readFileSync(path);
  for (let at = 4 * pageBytes; at < statSync(path).size; at += 2 * pageBytes) {
    bytes.fill(0, at, at + pageBytes);
  }
  writeFileSync(path, bytes);
  writeFileSync(`${path}-opening`, "");
  expect(() => createLmdbBackendStore(root).open("db")).toThrow(DamageError);
  expect(existsSync(`${path}-opening`)).toBe(false);
});

test("a process that was killed while it opened a sound file changes nothing", async () => {
  writeFileSync(`${path}-opening`, "");
  const backend = createLmdbBackendStore(root).open("db");
  let rows = 0;
  backend.scan(Bucket.key, { from: new Uint8Array(0) }, () => ++rows > 0);
  expect(rows).toBe(2_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(existsSync(`${path}-opening`)).toBe(false);
  await close(backend);
});

describe.each([1, 2, 3, 4])("a flipped byte in the head of inner pages, %i", (seed) => {
  test("is damage or does no harm, and ends no process of ours", async () => {
    const bytes = readFileSync(path);
    for (let at = (1 + seed) * pageBytes; at < bytes.length; at += 5 * pageBytes) {
      const place = at + ((seed * 7 + at / pageBytes) % 24);
      bytes[place] = (bytes[place] as number) ^ (1 << (seed + 2));
    }
    writeFileSync(path, bytes);
    const script = `
      import { createLmdbBackendStore } from "${import.meta.dirname}/backend.ts";
      try {
        const backend = createLmdbBackendStore(process.argv[1]).open("db");
        for (let bucket = 0; bucket < 7; bucket++) {
          backend.scan(bucket, { from: new Uint8Array(0) }, () => true);
        }
        console.log("read");
      } catch (error) {
        console.log(error.name);
      }
      process.exit();`;
    const words = ["--import", "tsx", "--input-type=module", "-e", script, root];
    const { status, stdout } = spawnSync(process.execPath, words, { encoding: "utf8" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^(read|DamageError)$/m);
  });
});

test("a file of an earlier process that was removed and made anew is a new one", async () => {
  const store = createLmdbBackendStore(root);
  store.remove("db");
  const backend = store.open("db");
  expect(backend.sizes().inUse).toBeGreaterThan(0);
  await close(backend);
});

test("a file is tried beside a running process, and by its name only while it is not open", async () => {
  const store = createLmdbBackendStore(root);
  const probe = (): Promise<Error | undefined> =>
    new Promise((resolve) => store.probe("db", resolve));
  expect(await probe()).toBeUndefined();
  const bytes = readFileSync(path);
  // Overwrites all but the two pages of LMDB's header.
  bytes.fill(0xa5, 2 * pageBytes);
  writeFileSync(path, bytes);
  expect((await probe())?.message).toMatch(/^a process that read it ended by /);
});
