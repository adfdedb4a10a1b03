/**
 * What disks, operators and bugs do to a member's files, done on purpose. Everything here works on the
 * files of one data directory; the caller says when the member is stopped. A flip in a file that a
 * running member has mapped is seen by it at once: a write goes through the same page cache.
 */
import {
  closeSync,
  copyFileSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { truncateToShare } from "../../src/cli/stage/file-damage.js";
import type { Backend } from "../../src/platform/backend.js";
import { nodeHash } from "../../src/platform/node/hash.js";
import { createLmdbBackendStore } from "../../src/platform/node/lmdb/backend.js";
import type { RowWrite } from "../../src/platform/rows.js";
import { Bucket } from "../../src/platform/rows.js";
import { DigestSet } from "../../src/state/digest.js";
import { encodeMeta, metaKey, readMeta } from "../../src/state/meta.js";
import { openRow, sealRow } from "../../src/state/rows.js";

const chunkBytes = 8 << 20;

/** The file of the backend in use. */
export function backendFile(dataDir: string): string {
  return join(dataDir, "backends", `${slotOf(dataDir)}.mdb`);
}

function slotOf(dataDir: string): string {
  return readFileSync(join(dataDir, "backend.current"), "utf8").trim();
}

/** Where `needle` stands in a file. */
function findAll(file: number, needle: Buffer): number[] {
  const found: number[] = [];
  const { size } = fstatSync(file);
  const chunk = Buffer.alloc(chunkBytes + needle.length);
  for (let from = 0; from < size; from += chunkBytes) {
    const length = readSync(file, chunk, 0, chunk.length, from);
    const text = chunk.subarray(0, length);
    for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) {
      if (at < chunkBytes) found.push(from + at);
    }
  }
  return found;
}

/**
 * Flips the lowest bit of the first byte of `needle` wherever it stands in the file: LMDB may have
 * older copies of a page that nobody reads. @returns how many. @throws if there is none.
 */
export function flipByte(path: string, needle: Uint8Array): number {
  const file = openSync(path, "r+");
  try {
    const places = findAll(file, Buffer.from(needle));
    if (places.length === 0) throw new Error(`${path} does not hold what is to be damaged`);
    const byte = Buffer.of((needle[0] as number) ^ 1);
    for (const place of places) writeSync(file, byte, 0, 1, place);
    fsyncSync(file);
    return places.length;
  } finally {
    closeSync(file);
  }
}

/** Copies the backend in use of a stopped member. */
export function copyBackend(dataDir: string, to: string): void {
  copyFileSync(backendFile(dataDir), to);
}

/** Puts an earlier copy in the place of the backend in use. */
export function swapBackend(dataDir: string, from: string): void {
  removeBackend(dataDir);
  copyFileSync(from, backendFile(dataDir));
}

export function removeBackend(dataDir: string): void {
  const path = backendFile(dataDir);
  rmSync(path);
  rmSync(`${path}-lock`, { force: true });
}

/** Cuts the backend in use to a share of its length. */
export function truncateBackend(dataDir: string, share: number): void {
  truncateToShare(backendFile(dataDir), share);
}

/** Opens the backend in use of a stopped member, writes what `change` says, and closes it again. */
async function rewrite(
  dataDir: string,
  change: (backend: Backend) => readonly RowWrite[],
): Promise<void> {
  const store = createLmdbBackendStore(join(dataDir, "backends"));
  const backend = store.open(slotOf(dataDir));
  try {
    const rows = change(backend);
    if (rows.length === 0) throw new Error("there is nothing to damage");
    backend.write(rows);
    await new Promise<void>((resolve, reject) => {
      backend.commit((error) => (error === undefined ? resolve() : reject(error)));
    });
  } finally {
    await new Promise<void>((resolve) => backend.close(resolve));
  }
}

interface FoundRow {
  readonly key: Uint8Array;
  readonly stored: Uint8Array;
}

function rowWith(backend: Backend, needle: Uint8Array): FoundRow {
  let found: FoundRow | undefined;
  backend.scan(Bucket.key, { from: new Uint8Array(0) }, (key, stored) => {
    if (Buffer.from(stored).includes(Buffer.from(needle))) found = { key, stored };
    return found === undefined;
  });
  if (found === undefined) throw new Error("no row holds what is to be damaged");
  return found;
}

/** The row that holds `needle` is gone, as after a lost write. */
export function loseRow(dataDir: string, needle: Uint8Array): Promise<void> {
  return rewrite(dataDir, (backend) => [
    { bucket: Bucket.key, key: rowWith(backend, needle).key, value: undefined },
  ]);
}

/**
 * A further version of the key whose value holds `needle`, with a changed value and a valid check
 * value: what a wrong apply would have left.
 */
export function addRow(dataDir: string, needle: Uint8Array): Promise<void> {
  return rewrite(dataDir, (backend) => {
    const { key, stored } = rowWith(backend, needle);
    const value = changed(openRow(Bucket.key, key, stored), needle);
    // The last byte of a row's key is the low byte of its sub revision.
    const next = Uint8Array.from(key);
    next[next.length - 1] = (next[next.length - 1] as number) + 1;
    return [{ bucket: Bucket.key, key: next, value: sealRow(Bucket.key, next, value) }];
  });
}

/**
 * The row that holds `needle` has another value, with a valid check value, and the stored digests
 * were computed with it: nothing in the backend itself can tell.
 */
export function forgeRow(dataDir: string, needle: Uint8Array): Promise<void> {
  return rewrite(dataDir, (backend) => {
    const { key, stored } = rowWith(backend, needle);
    const right = openRow(Bucket.key, key, stored);
    const wrong = changed(right, needle);
    const digests = new DigestSet(nodeHash.sha256);
    const meta = readMeta(backend, digests);
    if (meta === undefined) throw new Error("the backend is empty");
    digests.subtract(Bucket.key, key, right);
    digests.add(Bucket.key, key, wrong);
    const sealed = sealRow(Bucket.meta, metaKey, encodeMeta(meta, digests));
    return [
      { bucket: Bucket.key, key, value: sealRow(Bucket.key, key, wrong) },
      { bucket: Bucket.meta, key: metaKey, value: sealed },
    ];
  });
}

function changed(value: Uint8Array, needle: Uint8Array): Uint8Array {
  const wrong = Uint8Array.from(value);
  const at = Buffer.from(wrong).indexOf(Buffer.from(needle));
  wrong[at] = (wrong[at] as number) ^ 1;
  return wrong;
}

/** The applied index is told `by` too high (or, negative, too low). */
export function moveAppliedIndex(dataDir: string, by: number): Promise<void> {
  return rewrite(dataDir, (backend) => {
    const digests = new DigestSet(nodeHash.sha256);
    const meta = readMeta(backend, digests);
    if (meta === undefined) throw new Error("the backend is empty");
    meta.index += by;
    const sealed = sealRow(Bucket.meta, metaKey, encodeMeta(meta, digests));
    return [{ bucket: Bucket.meta, key: metaKey, value: sealed }];
  });
}
