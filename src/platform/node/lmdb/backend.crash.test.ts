/** Real processes that are killed: their file must hold a prefix of the units they wrote. */
import { spawn } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runs } from "../../../base/campaign.fixture.js";
import { DamageError } from "../../../base/errors.js";
import type { Backend } from "../../backend.js";
import { Bucket } from "../../rows.js";
import { lastKey, numberBytes } from "./backend.child.js";
import { createLmdbBackendStore } from "./backend.js";

const child = join(import.meta.dirname, "backend.child.ts");
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lmdb-crash-"));
});
afterEach(() => rmSync(root, { recursive: true }));

test("a killed process leaves a whole prefix of its units, at least up to the last ack", async () => {
  let checked = -1;
  // Each round kills later than the one before, up to 46 acknowledged units.
  const step = runs(3, 1);
  for (let round = 0; round < 10; round += step) {
    const acked = await runAndKill({ acks: 1 + round * 5, delayMs: (round * 7) % 5 });
    expect(acked).toBeGreaterThan(checked);
    checked = await checkPrefix(acked);
  }
});

test("a commit that the disk refuses fails, the backend stops, and the durable state stays", async () => {
  const shell = 'ulimit -f 2048; exec "$0" --import tsx "$1" "$2"';
  const limited = spawn("sh", ["-c", shell, process.execPath, child, root], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const lines: string[] = [];
  for await (const line of createInterface(limited.stdout)) lines.push(line);
  const [error, refused, again, closed] = lines.slice(-4);
  expect(error).toMatch(/^error commit of backend .*db\.mdb failed: /);
  expect(error).toMatch(/File too large|Input\/output error/);
  expect(refused).toBe(error?.replace("error", "refused"));
  expect(again).toBe(error?.replace("error", "again"));
  expect(closed).toBe("closed");
  const acked = Number(lines.at(-5)?.replace("ack ", ""));
  expect(await checkPrefix(acked)).toBe(acked);
});

test("a foreign or truncated file is refused with its name", async () => {
  const path = join(root, "db.mdb");
  writeFileSync(path, "not a database, but long enough to hold a header".repeat(300));
  expect(() => createLmdbBackendStore(root).open("db")).toThrow(DamageError);
  expect(() => createLmdbBackendStore(root).open("db")).toThrow(path);
  writeFileSync(path, new Uint8Array(8192));
  expect(() => createLmdbBackendStore(root).open("db")).toThrow("no LMDB header at byte 0");
  rmSync(path);
  await runAndKill({ acks: 20, delayMs: 0 });
  truncateSync(path, 4200);
  expect(() => createLmdbBackendStore(root).open("db")).toThrow("ends inside the header");
});

test("a file cut short is read as damage where rows are missing, and does not kill us", async () => {
  const path = join(root, "db.mdb");
  await runAndKill({ acks: 100, delayMs: 0 });
  truncateSync(path, Math.floor(statSync(path).size * 0.6));
  expect(() => {
    const backend = createLmdbBackendStore(root).open("db");
    for (const bucket of Object.values(Bucket)) {
      backend.scan(bucket, { from: new Uint8Array(0) }, () => true);
    }
  }).toThrow(DamageError);
});

test("an empty file and an incomplete copy left by a crash do no harm", async () => {
  appendFileSync(join(root, "db.mdb"), "");
  appendFileSync(join(root, "copy.mdb.partial"), "half");
  const store = createLmdbBackendStore(root);
  expect(store.list()).toEqual(["db"]);
  const backend = store.open("db");
  expect(backend.get(Bucket.meta, lastKey)).toBeUndefined();
  await close(backend);
});

/** Returns the last unit acknowledged before the process was killed. */
async function runAndKill(when: { acks: number; delayMs: number }): Promise<number> {
  const running = spawn(process.execPath, ["--import", "tsx", child, root], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let acks = 0;
  let acked = -1;
  for await (const line of createInterface(running.stdout)) {
    expect(line).toMatch(/^ack \d+$/);
    acked = Number(line.slice(4));
    acks += 1;
    // The delay moves the kill to another moment of a commit.
    if (acks === when.acks) setTimeout(() => running.kill("SIGKILL"), when.delayMs);
  }
  return acked;
}

/** Returns the last unit that is there. */
async function checkPrefix(acked: number): Promise<number> {
  const backend = createLmdbBackendStore(root).open("db");
  const last = Buffer.from(backend.get(Bucket.meta, lastKey) as Uint8Array).readUInt32BE();
  expect(last).toBeGreaterThanOrEqual(acked);
  let expected = 0;
  backend.scan(Bucket.key, { from: new Uint8Array(0) }, (key, value) => {
    const isExpected =
      Buffer.compare(key, numberBytes(expected)) === 0 &&
      Buffer.compare(value, new Uint8Array((expected * 37) % 3000).fill(expected)) === 0;
    if (!isExpected) throw new Error(`unit ${expected} is not whole`);
    expected += 1;
    return true;
  });
  expect(expected).toBe(last + 1);
  await close(backend);
  return last;
}

function close(backend: Backend): Promise<void> {
  return new Promise((resolve) => {
    backend.close(resolve);
  });
}
