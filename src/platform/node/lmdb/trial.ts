/**
 * Reads a whole LMDB file in another process. LMDB ends the process when related pages do not fit
 * together (a failed assertion, or a fault in the map). A member that dies so at each start could
 * never report what is wrong, and could not heal. So a file of an earlier process is tried before
 * it is opened. A large file is tried only if it is short, or if a process died while opening it.
 */
import { execFile, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { createRequire } from "node:module";

/** The reader ends when its parent is gone, because it has the parent's files open. */
const reader = `
const [, niceness, parent, library, path, ...names] = process.argv;
require("node:os").setPriority(Number(niceness));
const { open } = require(library);
const binary = { encoding: "binary", keyEncoding: "binary" };
const root = open({ path, ...binary, noSubdir: true, readOnly: true, maxDbs: names.length });
let rows = 0;
for (const name of names) {
  for (const row of root.openDB({ name, ...binary })?.getRange() ?? []) {
    void row.value;
    if (++rows % 1000 === 0 && process.ppid !== Number(parent)) process.exit();
  }
}
`;

interface End {
  /** The exit code of the reading process. */
  readonly status: number | string | null | undefined;
  readonly signal: string | null | undefined;
  readonly stderr: string;
}

/**
 * Reads every row and returns what is wrong. Undefined: every row can be read. Blocks until it is
 * done.
 */
export function tryReading(path: string, databases: readonly string[]): string | undefined {
  const words = wordsOf(path, databases, 0);
  return problemOf(spawnSync(process.execPath, words, { encoding: "utf8" }));
}

/** As `tryReading`, with low priority. Calls `done` once, later. */
export function tryReadingLater(
  path: string,
  databases: readonly string[],
  done: (problem: Error | undefined) => void,
): void {
  const words = wordsOf(path, databases, 10);
  const child = execFile(process.execPath, words, (error, _stdout, stderr) => {
    const status = error === null ? 0 : error.code;
    const problem = problemOf({ status, signal: error?.signal, stderr });
    done(problem === undefined ? undefined : new Error(problem));
  });
  child.unref();
}

function wordsOf(path: string, databases: readonly string[], niceness: number): string[] {
  const library = createRequire(import.meta.url).resolve("lmdb");
  return ["-e", reader, "--", `${niceness}`, `${process.pid}`, library, path, ...databases];
}

function problemOf({ status, signal, stderr }: End): string | undefined {
  if (status === 0) return undefined;
  const line = stderr.split("\n").find((text) => /Assertion|Error:/.test(text)) ?? "";
  return `a process that read it ended by ${signal ?? `code ${status}`} ${line}`.trimEnd();
}

/**
 * A file beside the backend's. It exists while the backend is opened and read for the first time.
 */
export class OpeningMark {
  readonly #path: string;
  /** True if an earlier process died while it opened the backend. */
  readonly wasThere: boolean;

  constructor(backendPath: string) {
    this.#path = markOf(backendPath);
    this.wasThere = existsSync(this.#path);
    closeSync(openSync(this.#path, "w", 0o600));
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

export function markOf(backendPath: string): string {
  return `${backendPath}-opening`;
}
