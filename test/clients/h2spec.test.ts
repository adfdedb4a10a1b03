/**
 * Runs the conformance suite h2spec against a member's client port, with its strict cases. It is no
 * dependency: without it on PATH the test is skipped. The rules that it checks have tests of their
 * own in src/grpc/http2 and src/grpc/server.test.ts.
 */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cluster } from "../support/cluster.js";

const isHere = spawnSync("h2spec", ["--version"], { stdio: "ignore" }).status === 0;
if (!isHere) console.warn("SKIPPED, because h2spec is not on PATH");

describe.skipIf(!isHere)("h2spec", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({ kind: "lockstep" });
  }, 60_000);
  afterAll(() => cluster?.dispose());

  test("passes every case", () => {
    const [host = "", port = ""] = cluster.first.endpoint.split(":");
    const args = ["--host", host, "--port", port, "--path", "/version", "--strict"];
    const { stdout } = spawnSync("h2spec", args, { encoding: "utf8", timeout: 100_000 });
    const [, cases = "", passed = ""] = /(\d+) tests, (\d+) passed/.exec(stdout) ?? [];
    expect(Number(cases)).toBeGreaterThan(140);
    expect(passed, stdout.slice(stdout.indexOf("Failures"))).toBe(cases);
  }, 120_000);
});
