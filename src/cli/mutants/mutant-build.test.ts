/** Every patch of the catalogue still finds its place in the code as it is compiled today. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mutants } from "../../verify/mutation/catalogue.js";
import { applyMutant } from "../../verify/mutation/patch.js";
import type { ProductionCode } from "../../verify/mutation/production-code.js";
import type { Mutant } from "../../verify/mutation/types.js";
import { buildMutant, notApplying, productionCode } from "./mutant-build.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lockstep-mutants-test-"));
const dist = path.join(folder, "dist");
let code: ProductionCode;

beforeAll(async () => {
  fs.symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
  const tsc = path.join(root, "node_modules/.bin/tsc");
  const words = ["-p", "tsconfig.build.json", "--outDir", dist, "--noCheck"];
  const { status, stdout } = spawnSync(tsc, words, { cwd: root, encoding: "utf8" });
  expect(stdout).toBe("");
  expect(status).toBe(0);
  code = await productionCode(dist);
});
/** A program of one file, for tests that can use any program. */
const small = path.join(folder, "small", "dist");
const smallMutant: Mutant = {
  ...{ id: "T0", title: "", origin: "", conditions: "", caughtBy: [] },
  patches: [{ in: "half", find: "n / 2", replace: "n / 3 + Number(RAN())" }],
};

beforeAll(() => {
  fs.mkdirSync(small, { recursive: true });
  fs.writeFileSync(
    path.join(small, "half.js"),
    "export function half(n) {\n    return n / 2;\n}\n",
  );
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function read(file: string): string {
  return fs.readFileSync(path.join(dist, file), "utf8");
}

test.each(mutants.map((mutant) => [mutant.id, mutant] as const))("%s applies", (_, mutant) => {
  expect(applyMutant(mutant, code).size).toBeGreaterThan(0);
});

/** Checks all files in one process, as `node --check` checks one file. */
const checkSyntax = `
  const vm = require("node:vm");
  for (const [name, text] of JSON.parse(require("node:fs").readFileSync(0, "utf8"))) {
    try { new vm.SourceTextModule(text); } catch (error) { console.log(name + ": " + error); }
  }`;

test("what comes out is JavaScript", () => {
  const texts = mutants.flatMap((mutant) =>
    [...applyMutant(mutant, code)].map(([file, text]) => [`${mutant.id} ${file}`, text]),
  );
  const node = spawnSync(process.execPath, ["--experimental-vm-modules", "-e", checkSyntax], {
    input: JSON.stringify([...texts, ["broken", "const = 1"]]),
    encoding: "utf8",
  });
  expect(node.status).toBe(0);
  expect(node.stdout).toBe("broken: SyntaxError: Unexpected token '='\n");
});

test("a build runs, has the bug, and is gone afterwards", async () => {
  const [mutant] = mutants;
  if (mutant === undefined) throw new Error("no mutants");
  const build = await buildMutant(mutant, dist);
  const home = path.resolve(build.main, "../../..");
  const [file = ""] = applyMutant(mutant, code).keys();
  expect(fs.readFileSync(path.join(home, "dist", file), "utf8")).toContain("RAN()");
  expect(read(file)).not.toContain("RAN()");
  const { status, stdout } = spawnSync(process.execPath, [build.main, "version"]);
  expect([status, stdout.toString()]).toEqual([0, expect.stringContaining("etcd Version")]);
  build.remove();
  expect(fs.existsSync(home)).toBe(false);
});

test("a patch that does not apply is told, and leaves no folder", async () => {
  const old = process.env.TMPDIR;
  const own = fs.mkdtempSync(path.join(folder, "tmp-"));
  process.env.TMPDIR = own;
  try {
    const patches = [{ in: "half", find: "nowhere()", replace: "RAN()" }];
    const mutant = { ...smallMutant, id: "T1", patches };
    await expect(buildMutant(mutant, small)).rejects.toThrow("T1: half: the place is");
    expect([...(await notApplying([mutant, smallMutant], small)).keys()]).toEqual(["T1"]);
    expect(fs.readdirSync(own)).toEqual([]);
  } finally {
    if (old === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = old;
  }
});

test("an installation without the parser says what to do", () => {
  // This folder lies outside of `folder`, below which node_modules would be found.
  const bare = fs.mkdtempSync(path.join(os.tmpdir(), "lockstep-bare-test-"));
  const modules = path.join(bare, "node_modules");
  fs.mkdirSync(modules, { recursive: true });
  for (const name of fs.readdirSync(path.join(root, "node_modules"))) {
    if (name === "oxc-parser") continue;
    fs.symlinkSync(path.join(root, "node_modules", name), path.join(modules, name));
  }
  const filter = (file: string): boolean => !/\.(map|d\.ts)$/.test(file);
  fs.cpSync(dist, path.join(bare, "dist"), { recursive: true, filter });
  fs.writeFileSync(path.join(bare, "package.json"), '{"type":"module"}');
  const words = [path.join(bare, "dist/cli/main.js"), "sim", "--mutants"];
  const { status, stderr } = spawnSync(process.execPath, words, {
    ...{ encoding: "utf8", timeout: 20_000 },
  });
  fs.rmSync(bare, { recursive: true });
  expect(stderr).toMatch(/need the package oxc-parser, which is not installed: run "npm install/);
  expect(status).toBe(1);
});

test.each(["SIGINT", "SIGTERM"])("%s leaves no folder", (signal) => {
  const own = fs.mkdtempSync(path.join(folder, "tmp-"));
  const script = `
    import fs from "node:fs";
    import { buildMutant } from "${dist}/cli/mutants/mutant-build.js";
    await buildMutant(${JSON.stringify(smallMutant)}, "${small}");
    console.log(fs.readdirSync("${own}").length);
    process.kill(process.pid, "${signal}");
    setInterval(() => {}, 1000);`;
  const words = ["--input-type=module", "-e", script];
  const env = { ...process.env, TMPDIR: own };
  const { stdout } = spawnSync(process.execPath, words, { env, encoding: "utf8", timeout: 20_000 });
  expect(stdout).toBe("1\n");
  expect(fs.readdirSync(own)).toEqual([]);
});
