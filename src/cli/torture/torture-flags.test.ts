import { describe, expect, test } from "vitest";
import { faultKinds, kindRules } from "../../torture/faults/fault-kinds.js";
import { readTortureFlags } from "./torture-flags.js";

const read = (...words: readonly string[]) => readTortureFlags(words, 77);

describe("flags of lockstep torture", () => {
  test("without any: this build, three members, all faults, and the seed that was drawn", () => {
    expect(read()).toMatchObject({
      ...{ etcd: undefined, members: 3, durationMs: 30_000, seed: 77, runs: 1 },
      faults: faultKinds.filter((kind) => !["disk", "beyond"].includes(kindRules[kind].group)),
    });
  });

  test("as they are given", () => {
    const words = ["--etcd", "/e", "--faults", "none", "--duration", "2m", "--seed", "0"];
    expect(read(...words, "--pace", "0ms")).toMatchObject({
      ...{ etcd: "/e", faults: [], durationMs: 120_000, seed: 0, paceMs: 0 },
    });
  });

  test.each([
    [["--etcd", "/e", "--target", "lockstep"], /exclude each other/],
    [["--target", "etcd"], /--etcd PATH/],
    [["--faults", "kill,fire"], /knows crash, member, network, .* kill, .*, not "fire"/],
    [["--profile", "none"], /--profile knows mixed, .*, not "none"/],
    [["--shard", "4/4"], /I\/N with 0 <= I < N, not "4\/4"/],
    [["--endpoints", "a:1", "--faults", "kill"], /--endpoints takes no faults/],
    [["--endpoints", "a"], /takes host:port/],
    [["--endpoints", "http://a:1", "--insecure-skip-tls-verify"], /would be plain text/],
    [["--endpoints", "a:1", "--cacert", "/nowhere"], /cannot read --cacert "\/nowhere"/],
    [["--endpoints", "a:1", "--user", "root"], /--user NAME:PASSWORD, or --password/],
    [["--endpoints", "a:1", "--password", "x"], /--password needs --user/],
    [["--user", "root:x"], /--user is for --endpoints only/],
    [["--mutant", "M02", "--etcd", "/e"], /--mutant is for --target lockstep/],
    [["--duration", "30"], /takes a time like 30s, 5m or 1h, not "30"/],
    [["--members", "0"], /whole number from 1 to 7, not "0"/],
    [["--seed", "1.5"], /--seed takes a whole number/],
    [["--reproduce", "1"], /knows 18667, .*, not "1"/],
    [["--unknown"], /Unknown option/],
  ])("%j is refused with a text that says what to do", (words, text) => {
    expect(() => read(...words)).toThrow(text);
  });
});
