/** docs/flags.md is the table's, and the table knows every flag that real etcd has. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isMissing, type ServerKind, serverCommand } from "../../test/support/server-kind.js";
import { findFlag } from "./flags.js";
import { flagsPage } from "./flags-page.js";

test("docs/flags.md is current (node tools/flags-page.mjs)", () => {
  expect(readFileSync(new URL("../../docs/flags.md", import.meta.url), "utf8")).toBe(flagsPage());
});

describe.each<ServerKind>(["etcd34", "etcd35"])("flags of %s", (kind) => {
  test.skipIf(isMissing(kind))("each is known under its name", () => {
    const { command } = serverCommand(kind);
    const { stdout, stderr } = spawnSync(command, ["--help"], { encoding: "utf8" });
    const lines = `${stdout}${stderr}`.matchAll(/^ {2}--([a-z0-9-]+)/gm);
    const names = [...lines].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(70);
    expect(names.filter((name) => findFlag(name) === undefined)).toEqual([]);
  });
});
