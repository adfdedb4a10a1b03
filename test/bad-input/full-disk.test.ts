/**
 * A disk that is full: writes stop with an error, nothing acknowledged is lost, and with room again
 * the member starts with all of it. Needs a small tmpfs, so root: skipped with a message elsewhere,
 * required in CI.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serves } from "../crash/rounds.js";
import { bytes } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import { isMissing, subject } from "../support/server-kind.js";

const VALUE_BYTES = 200_000;
let folder: string | undefined;

function mayMount(): boolean {
  const trial = mkdtempSync(join(tmpdir(), "lockstep-mount-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", trial], { stdio: "pipe" });
    execFileSync("umount", [trial]);
    return true;
  } catch (cause) {
    if (process.env.CI === "true") throw cause;
    console.warn("SKIPPED, because a tmpfs cannot be mounted here (needs root)");
    return false;
  } finally {
    rmdirSync(trial);
  }
}

describe.skipIf(isMissing(subject) || !mayMount())("full disk", () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "lockstep-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=300m", "tmpfs", folder]);
  });
  afterAll(() => {
    if (folder === undefined) return;
    execFileSync("umount", ["-l", folder]);
    rmdirSync(folder);
  });

  test("nothing acknowledged is lost", async () => {
    const parentFolder = folder as string;
    const cluster = await Cluster.start({ kind: subject, parentFolder });
    const { first } = cluster;
    try {
      const acknowledged: number[] = [];
      let failure: unknown;
      for (let i = 0; i < 5_000 && failure === undefined; i++) {
        // Random bytes do not compress; each value is its own.
        const value = Buffer.alloc(VALUE_BYTES, `${i}.`);
        try {
          await first.client.put({ key: bytes(`k${i}`), value }, { timeoutMs: 8_000 });
          acknowledged.push(i);
        } catch (cause) {
          failure = cause;
        }
      }
      expect(failure).toBeDefined();
      expect(acknowledged.length).toBeGreaterThan(50);
      await first.kill();
      expect(first.process.log()).toMatch(/no space left|ENOSPC|full/i);

      execFileSync("mount", ["-o", "remount,size=900m", parentFolder]);
      await first.start();
      await serves(first);
      for (const i of acknowledged) {
        const { kvs } = await first.client.range({ key: bytes(`k${i}`) });
        expect(kvs[0]?.value.equals(Buffer.alloc(VALUE_BYTES, `${i}.`))).toBe(true);
      }
      await first.client.put({ key: bytes("after"), value: bytes("room again") });
    } finally {
      await cluster.dispose();
    }
  }, 120_000);

  test.runIf(subject === "lockstep")(
    "a defragmentation that finds no space changes nothing, and the member goes on",
    async () => {
      const parentFolder = folder as string;
      const cluster = await Cluster.start({ kind: subject, parentFolder });
      const { first } = cluster;
      try {
        for (let i = 0; i < 200; i++) {
          const value = Buffer.alloc(VALUE_BYTES, `${i}.`);
          await first.client.put({ key: bytes(`k${i}`), value }, { timeoutMs: 15_000 });
        }
        const { hash } = await first.client.hashKv({ revision: 0n });
        const { bavail, bsize } = statfsSync(parentFolder);
        const ballast = join(parentFolder, "ballast");
        writeFileSync(ballast, Buffer.alloc(bavail * bsize - 20 * 1024 * 1024));
        const refusal = await first.client.defragment({}, { timeoutMs: 60_000 }).catch((e) => e);
        expect(refusal.code).toBe(2);
        expect(refusal.details).toContain("defragmentation failed, and the state stays as it was");
        expect(first.process.log()).toMatch(/defragmentation failed/);
        expect((await first.client.hashKv({ revision: 0n })).hash).toBe(hash);
        await first.client.put({ key: bytes("after"), value: bytes("1") });
        rmSync(ballast);
        await first.client.defragment({}, { timeoutMs: 60_000 });
        await first.restart();
        const after = await first.client.range({ key: bytes("after") });
        expect(after.kvs[0]?.value).toEqual(bytes("1"));
      } finally {
        await cluster.dispose();
      }
    },
    120_000,
  );
});
