/**
 * Reads a whole LMDB file in a process of its own, with low priority. LMDB ends the process when pages
 * do not fit together (a failed assertion, or a fault in the map), so a file that may be damaged is
 * read so before anybody looks at it for no pressing reason.
 */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";

const reader = `
const [, library, path, ...names] = process.argv;
require("node:os").setPriority(10);
const { open } = require(library);
const binary = { encoding: "binary", keyEncoding: "binary" };
const root = open({ path, ...binary, noSubdir: true, readOnly: true, maxDbs: names.length });
for (const name of names) {
  for (const row of root.openDB({ name, ...binary })?.getRange() ?? []) void row.value;
}
`;

/** Calls `done` once, later; undefined: every row can be read. */
export function probeFile(
  path: string,
  databases: readonly string[],
  done: (problem: Error | undefined) => void,
): void {
  const library = createRequire(import.meta.url).resolve("lmdb");
  const args = ["-e", reader, "--", library, path, ...databases];
  const child = execFile(process.execPath, args, (error, _stdout, stderr) => {
    const line = stderr.split("\n").find((text) => /Assertion|Error:/.test(text)) ?? "";
    if (error === null) done(undefined);
    else {
      const end = error.signal ?? `code ${error.code}`;
      done(new Error(`a process that read it ended by ${end} ${line}`.trimEnd()));
    }
  });
  child.unref();
}
