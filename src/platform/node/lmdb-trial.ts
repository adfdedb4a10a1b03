/**
 * Reads a whole LMDB file in a process of its own. LMDB ends the process when pages that belong
 * together do not fit (a failed assertion, or a fault in the map), and a member that dies so at each
 * start could never say what is wrong, let alone heal. Only done on suspicion: a short file, or an
 * opening from which the process did not come back.
 */
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { createRequire } from "node:module";

const reader = `
const [, library, path, ...names] = process.argv;
const { open } = require(library);
const binary = { encoding: "binary", keyEncoding: "binary" };
const root = open({ path, ...binary, noSubdir: true, readOnly: true, maxDbs: names.length });
for (const name of names) {
  for (const row of root.openDB({ name, ...binary })?.getRange() ?? []) void row.value;
}
`;

/** Undefined: every row can be read. Blocks meanwhile. */
export function tryReading(path: string, databases: readonly string[]): string | undefined {
  const library = createRequire(import.meta.url).resolve("lmdb");
  const args = ["-e", reader, "--", library, path, ...databases];
  const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status === 0) return undefined;
  const line = stderr.split("\n").find((text) => /Assertion|Error:/.test(text)) ?? "";
  return `a process that read it ended by ${signal ?? `code ${status}`} ${line}`.trimEnd();
}

/** A file beside the backend's, there while it is opened and read for the first time. */
export class OpeningMark {
  readonly #path: string;
  /** An earlier process died in this. */
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
