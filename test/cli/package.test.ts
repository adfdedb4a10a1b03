/** What a user gets from npm: an archive that runs, and a clear word where nothing was built yet. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { projectRoot } from "../support/server-kind.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-package-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const run = (command: string, args: readonly string[], cwd: string) =>
  spawnSync(command, args, { cwd, encoding: "utf8" });

test("before a build, the command says what to do", () => {
  cpSync(join(projectRoot, "bin"), join(folder, "bin"), { recursive: true });
  cpSync(join(projectRoot, "package.json"), join(folder, "package.json"));
  const { status, stderr } = run(process.execPath, ["bin/lockstep", "version"], folder);
  expect(status).toBe(1);
  expect(stderr).toBe(
    "lockstep is not built yet: run `npm ci && npm run build` in its folder first\n",
  );
});

test("the archive of npm pack runs, without anything else of the checkout", () => {
  // The build was made before the tests; another one beside them would change what they run.
  const packed = run(
    "npm",
    ["pack", "--ignore-scripts", "--json", "--pack-destination", folder],
    projectRoot,
  );
  expect(packed.stderr).not.toContain("npm error");
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  expect(run("tar", ["-xzf", filename], folder).status).toBe(0);
  const home = join(folder, "package");
  mkdirSync(home, { recursive: true });
  symlinkSync(join(projectRoot, "node_modules"), join(home, "node_modules"));
  const { stdout, status } = run(process.execPath, ["bin/lockstep", "version"], home);
  expect(status).toBe(0);
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as {
    version: string;
  };
  expect(stdout).toContain(`Lockstep Version: ${version}\n`);
  for (const part of ["proto/rpc.proto", "docs/guarantees.md", "dist/index.d.ts"])
    expect(existsSync(join(home, part)), part).toBe(true);
  for (const part of ["src", "test", "bench"]) expect(existsSync(join(home, part))).toBe(false);
});

test("packing builds first", () => {
  const { scripts } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  expect(scripts.prepack).toBe("npm run build");
});
