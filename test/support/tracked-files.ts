/** The project's own files, as git knows them, for the house rules. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

/** Paths below the root, with "/". */
export const tracked: readonly string[] = execFileSync("git", ["ls-files"], {
  cwd: root,
  encoding: "utf8",
})
  .trim()
  .split("\n")
  .filter((file) => existsSync(path.join(root, file)));

export const read = (file: string): string => readFileSync(path.join(root, file), "utf8");
