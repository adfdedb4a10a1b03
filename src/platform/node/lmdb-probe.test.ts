import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Bucket } from "../backend.js";
import { createLmdbBackendStore } from "./lmdb-backend.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-probe-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a file whose pages are torn apart ends the process that reads it, not this one", async () => {
  const store = createLmdbBackendStore(folder);
  const backend = store.open("state-0");
  const rows = Array.from({ length: 5_000 }, (_, at) => ({
    bucket: Bucket.key,
    key: Buffer.from(`key-${String(at).padStart(6, "0")}`),
    value: Buffer.alloc(100, at),
  }));
  backend.write(rows);
  await new Promise((resolve) => backend.commit(resolve));
  await new Promise<void>((resolve) => backend.close(resolve));
  const probe = (): Promise<Error | undefined> =>
    new Promise((resolve) => store.probe("state-0", resolve));
  expect(await probe()).toBeUndefined();

  const path = join(folder, "state-0.mdb");
  const file = openSync(path, "r+");
  // All but the two pages of LMDB's header.
  for (let at = 2 * 4096; at < statSync(path).size; at += 4096) {
    writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, at);
  }
  closeSync(file);
  expect((await probe())?.message).toMatch(/^a process that read it ended by /);
});
