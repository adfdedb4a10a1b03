/**
 * Makes a copy of the compiled code with the bug of one mutant in it, in a temporary folder. The
 * folder is removed when the caller asks for it, and at the latest when this process ends, also by
 * a signal. Only the copy is written to, never the production code.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { applyMutant } from "../../verify/mutation/patch.js";
import { ProductionCode } from "../../verify/mutation/production-code.js";
import type { Mutant } from "../../verify/mutation/types.js";
import { loadParser } from "./mutant-parser.js";

export interface MutantBuild {
  /** The program to run: the copy's `lockstep`. */
  readonly main: string;
  remove(): void;
}

/** The compiled code that this process runs. */
export const ownDist = fileURLToPath(new URL("../..", import.meta.url));

const folders = new Set<string>();
let isWatchingEnd = false;

/** What is known of each folder of compiled code. With it the parser reads each file once. */
const known = new Map<string, Promise<ProductionCode>>();

/** The compiled code of a folder as it was when it was first asked for. */
export function productionCode(dist = ownDist): Promise<ProductionCode> {
  const before = known.get(dist);
  if (before !== undefined) return before;
  const code = loadParser().then((parse) => {
    const names = fs
      .readdirSync(dist, { recursive: true, encoding: "utf8" })
      .map((name) => name.replaceAll(path.sep, "/"));
    const read = (name: string): string => fs.readFileSync(path.join(dist, name), "utf8");
    return new ProductionCode({ names, read }, parse);
  });
  known.set(dist, code);
  return code;
}

/**
 * The reasons why patches do not apply to the compiled code, by the ids of their mutants. Empty:
 * all apply.
 *
 * @throws Error if the parser is not installed
 */
export async function notApplying(
  mutants: readonly Mutant[],
  dist = ownDist,
): Promise<ReadonlyMap<string, string>> {
  const code = await productionCode(dist);
  const reasons = new Map<string, string>();
  for (const mutant of mutants) {
    try {
      applyMutant(mutant, code);
    } catch (error) {
      reasons.set(mutant.id, (error as Error).message);
    }
  }
  return reasons;
}

/** @throws Error if a patch does not apply, or the folder cannot be written */
export async function buildMutant(mutant: Mutant, dist = ownDist): Promise<MutantBuild> {
  const texts = applyMutant(mutant, await productionCode(dist));
  const folder = makeFolder();
  try {
    const copy = path.join(folder, "dist");
    fs.cpSync(dist, copy, { recursive: true, filter: (file) => !/\.(map|d\.ts)$/.test(file) });
    fs.writeFileSync(path.join(folder, "package.json"), '{"type":"module"}\n');
    fs.symlinkSync(findModules(dist), path.join(folder, "node_modules"));
    for (const [file, text] of texts) fs.writeFileSync(path.join(copy, file), text);
    return { main: path.join(copy, "cli", "main.js"), remove: () => removeFolder(folder) };
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

function makeFolder(): string {
  if (!isWatchingEnd) {
    isWatchingEnd = true;
    process.on("exit", () => {
      for (const folder of folders) removeFolder(folder);
    });
    // Without a handler a signal ends the process, and "exit" is not emitted.
    process.once("SIGINT", () => process.exit(130));
    process.once("SIGTERM", () => process.exit(143));
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lockstep-mutant-"));
  folders.add(folder);
  return folder;
}

function removeFolder(folder: string): void {
  fs.rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** The nearest node_modules in a folder above, where Node itself would find it. */
function findModules(dist: string): string {
  for (let folder = path.resolve(dist); ; folder = path.dirname(folder)) {
    const modules = path.join(folder, "node_modules");
    if (fs.existsSync(modules)) return fs.realpathSync(modules);
    if (folder === path.dirname(folder)) throw new Error(`no node_modules above ${dist}`);
  }
}
