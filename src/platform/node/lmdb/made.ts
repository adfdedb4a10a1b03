/**
 * Marks how an LMDB file was made, and makes old files anew.
 *
 * The package's own compact copy (`backup(path, true)`, lmdb 3.2 to 3.5.6 at least) makes files
 * that end the process: the first transaction that frees some 500 pages fails an assertion in the
 * page allocator, or writes through a null pointer. Earlier builds defragmented with it. So a file
 * that is made row by row gets a mark, and a file without its mark is written anew, row by row,
 * before its first transaction.
 *
 * The mark is a row of the file's main database, beside the names of the buckets. Its value is the
 * backend's name. So a compact copy of a marked file, made by an earlier build in between, does not
 * have the mark of its own name.
 */
import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { bucketNames } from "../../rows.js";
import { damage, readMainPage } from "./file.js";

const markText = "lockstep-rows";
export const markKey: Uint8Array = Buffer.from(markText);

export function markOf(name: string): Uint8Array {
  return Buffer.from(`${name}\0`);
}

/**
 * True if the file has the mark of this name. In the page a row's value stands directly behind its
 * key.
 */
export function isMadeHere(path: string, name: string): boolean {
  const page = readMainPage(path);
  return page?.includes(Buffer.concat([markKey, markOf(name)])) === true;
}

/** The rewriting process exits with this code when a write failed: that is no damage. */
const refusedCode = 3;

/** Runs in a process of its own: reading a damaged file may end it. */
const rewriter = `
const [, library, from, to, markText, mark, ...names] = process.argv;
const { open } = require(library);
const binary = { encoding: "binary", keyEncoding: "binary" };
const many = { noSubdir: true, maxDbs: names.length };
const source = open({ path: from, ...binary, ...many, readOnly: true });
const attempt = (work) => {
  try {
    return work();
  } catch (error) {
    console.error("Error: " + error.message);
    process.exit(${refusedCode});
  }
};
const target = attempt(() => open({ path: to, ...binary, ...many, noSync: true, overlappingSync: false, permissionsMode: 0o600 }));
for (const name of names) {
  const rows = attempt(() => target.openDB({ name, ...binary }));
  let held = [];
  let bytes = 0;
  const write = () => {
    attempt(() => target.transactionSync(() => { for (const [key, value] of held) rows.putSync(key, value, { append: true }); }));
    held = [];
    bytes = 0;
  };
  let known;
  try {
    known = source.openDB({ name, ...binary });
  } catch {}
  for (const { key, value } of known?.getRange() ?? []) {
    held.push([Buffer.from(key), Buffer.from(value)]);
    bytes += value.length;
    if (held.length === 5000 || bytes > 4194304) write();
  }
  write();
}
attempt(() => target.putSync(Buffer.from(markText), Buffer.from(mark + "\\0")));
target.close().then(() => process.exit(0), () => process.exit(${refusedCode}));
`;

/**
 * Replaces this file by one with the same rows. A crash leaves the one or the other whole. Blocks
 * until it is done, so use it at a start. @throws DamageError if it cannot be read; Error if it
 * cannot be written
 */
export function rewriteRows(path: string, name: string): void {
  const draft = `${path}.partial`;
  const removeDraft = (): void => {
    for (const file of [draft, `${draft}-lock`]) rmSync(file, { force: true });
  };
  removeDraft();
  const library = createRequire(import.meta.url).resolve("lmdb");
  const words = ["-e", rewriter, "--", library, path, draft, markText, name, ...bucketNames];
  const { status, signal, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  const line = stderr.split("\n").find((text) => /Assertion|Error:/.test(text)) ?? "";
  if (status !== 0) {
    removeDraft();
    if (status === refusedCode) {
      throw new Error(
        `backend file ${path} was made by an earlier build and must be written anew before it can be used, which failed: ${line} Free as much space as the file takes and start again; nothing was changed.`,
      );
    }
    throw damage(path, `a process that read it ended by ${signal ?? `code ${status}`} ${line}`);
  }
  syncPath(draft);
  renameSync(draft, path);
  rmSync(`${draft}-lock`, { force: true });
  syncPath(dirname(path));
}

function syncPath(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
