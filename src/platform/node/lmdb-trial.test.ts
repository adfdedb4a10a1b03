/** Files that end the process that reads them are found out without ending ours. */
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
import { afterEach, beforeEach, expect, test } from "vitest";
import { DamageError } from "../../base/errors.js";
import { Bucket } from "../backend.js";
import { createLmdbBackendStore } from "./lmdb-backend.js";

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

test("pages of another kind are damage, once a process has died of them", () => {
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
