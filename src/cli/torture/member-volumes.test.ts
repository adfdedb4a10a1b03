import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MemberVolumes } from "./member-volumes.js";

/** True if this user may mount a tmpfs. */
function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-volume-"));
  try {
    new MemberVolumes(new Map([["m1", join(folder, "m1.volume")]])).unmountAll();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.skipIf(!mayMount())("a volume can be full, be freed, and is gone afterwards", () => {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-volume-"));
  const place = join(folder, "m1.volume");
  const volumes = new MemberVolumes(new Map([["m1", place]]));
  try {
    const write = (): void => writeFileSync(join(place, "row"), "some bytes");
    volumes.fill("m1");
    expect(write).toThrow(/ENOSPC/);
    volumes.free("m1");
    expect(write).not.toThrow();
  } finally {
    volumes.unmountAll();
  }
  expect(existsSync(place)).toBe(false);
  expect(execFileSync("mount", { encoding: "utf8" })).not.toContain(folder);
  rmSync(folder, { recursive: true });
});
