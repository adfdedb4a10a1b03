/**
 * Finds patches whose new code uses a method, property or name that is gone. Such a patch applies
 * and does nothing but throw, so the mutant would look caught for a wrong reason.
 *
 * The patches are applied to the TypeScript sources, each mutant's files under names of their own
 * ("storage/committer.M07.ts") in a folder that the compiler lays over src/ (`rootDirs`). So one run
 * of the compiler checks all mutants beside the unchanged code. It reports only missing names: a
 * patch is JavaScript, so it need not have types. A mutant may use names that its own patches add.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { applyMutant } from "../../verify/mutation/patch.js";
import { ProductionCode } from "../../verify/mutation/production-code.js";
import type { Mutant } from "../../verify/mutation/types.js";
import { loadParser } from "./mutant-parser.js";

/** Errors of the compiler that say: this name, property, export, module or parameter is not there. */
const missing =
  /^(.*\.(\w+)\.ts)\(\d+,\d+\): error TS(?:2304|2305|2307|2339|2551|2552|2554|2724): (.*)$/;
const missingProperty = /^Property '(\w+)' does not exist on type '(.*)'/;

/**
 * The folder of the sources. Undefined: this installation has no sources or no compiler, so types
 * cannot be checked.
 */
export function sourceFolder(dist: string): string | undefined {
  const root = path.dirname(path.resolve(dist));
  const needed = ["src/index.ts", "tsconfig.json", "node_modules/.bin/tsc"];
  return needed.every((file) => fs.existsSync(path.join(root, file))) ? root : undefined;
}

/**
 * What is missing, by the ids of mutants; empty: all names exist. Leaves out mutants that do not
 * apply.
 *
 * @param root the folder with src/, tsconfig.json and node_modules/
 * @throws Error if the compiler cannot run
 */
export async function missingNames(
  mutants: readonly Mutant[],
  root: string,
): Promise<ReadonlyMap<string, string>> {
  const code = await sourceCode(path.join(root, "src"));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lockstep-mutant-types-"));
  try {
    const files = mutants.flatMap((mutant) => overlaid(mutant, code));
    for (const [file, text] of files) {
      const to = path.join(folder, "src", file);
      fs.mkdirSync(path.dirname(to), { recursive: true });
      fs.writeFileSync(to, text);
    }
    return reasonsIn(compile(folder, root), mutants);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** The sources, under the names that their compiled files have. */
async function sourceCode(src: string): Promise<ProductionCode> {
  const isProduct = (name: string): boolean =>
    name.endsWith(".ts") && !/\.(test|fixture|contract|child)\.ts$/.test(name);
  const names = fs
    .readdirSync(src, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll(path.sep, "/"))
    .filter(isProduct)
    .map((name) => name.replace(/\.ts$/, ".js"));
  const read = (name: string): string =>
    fs.readFileSync(path.join(src, name.replace(/\.js$/, ".ts")), "utf8");
  return new ProductionCode({ names, read }, await loadParser());
}

/** A mutant's files with their text. Imports between them lead to the changed files. */
function overlaid(mutant: Mutant, code: ProductionCode): readonly (readonly [string, string])[] {
  const { id } = mutant;
  let texts: ReadonlyMap<string, string>;
  try {
    texts = applyMutant(mutant, code);
  } catch {
    return [];
  }
  const changed = [...texts.keys()].map((file) => path.basename(file, ".js"));
  const pattern = new RegExp(`(from "\\.[^"]*/(?:${changed.join("|")}))\\.js"`, "g");
  return [...texts].map(([file, text]) => [
    file.replace(/\.js$/, `.${id}.ts`),
    text.replace(pattern, (whole, before: string) => {
      const target = path.join(path.dirname(file), `${before.slice('from "'.length)}.js`);
      return texts.has(target) ? `${before}.${id}.js"` : whole;
    }),
  ]);
}

/** Compiles the files in `folder`, laid over the sources. Returns what the compiler says. */
function compile(folder: string, root: string): string {
  fs.symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
  fs.writeFileSync(path.join(folder, "package.json"), '{"type":"module"}\n');
  const config = {
    extends: path.join(root, "tsconfig.json"),
    compilerOptions: {
      ...{ noEmit: true, declaration: false, sourceMap: false, rootDir: "/" },
      rootDirs: [path.join(folder, "src"), path.join(root, "src")],
      typeRoots: [path.join(root, "node_modules/@types")],
    },
    include: [path.join(folder, "src")],
  };
  fs.writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(config));
  const tsc = path.join(root, "node_modules/.bin/tsc");
  const words = ["-p", folder, "--pretty", "false"];
  const { stdout, error } = spawnSync(tsc, words, {
    ...{ cwd: folder, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  });
  if (error !== undefined) throw error;
  return stdout;
}

function reasonsIn(output: string, mutants: readonly Mutant[]): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>();
  for (const line of output.split("\n")) {
    const [, file = "", id = "", text = ""] = missing.exec(line) ?? [];
    const mutant = mutants.find((one) => one.id === id);
    if (mutant === undefined || reasons.has(id) || isThere(text, mutant)) continue;
    reasons.set(id, `${id}: in ${file.replace(`.${id}.ts`, ".ts")}: ${text}`);
  }
  return reasons;
}

/**
 * True for a reported name that exists at run time: a property that the mutant itself adds, or that
 * only a readonly type hides.
 */
function isThere(text: string, { patches }: Mutant): boolean {
  // JavaScript ignores arguments that are too many.
  const [, expected, got] = /^Expected (\d+) arguments, but got (\d+)/.exec(text) ?? [];
  if (Number(got) > Number(expected)) return true;
  const [, name, type = ""] = missingProperty.exec(text) ?? [];
  if (name === undefined) return false;
  if (/^readonly .*\[\]$/.test(type)) return true;
  const added = new RegExp(`\\.${name}\\s*(\\?\\?)?=(?!=)|^\\s*${name}(\\(.*\\) \\{|: )`, "m");
  return patches.some((patch) => added.test("begin" in patch ? patch.begin : patch.replace));
}
