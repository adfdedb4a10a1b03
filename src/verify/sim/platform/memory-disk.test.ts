import { describe, expect, test } from "vitest";
import { describeDisk } from "../../../platform/disk.contract.js";
import type { Rng } from "../../../platform/rng.js";
import { Dice } from "../plan/dice.js";
import { MemoryDisk } from "./memory-disk.js";

function makeDisk(): { disk: MemoryDisk; settle: () => void } {
  const queue: (() => void)[] = [];
  const settle = (): void => {
    for (let fn = queue.shift(); fn !== undefined; fn = queue.shift()) fn();
  };
  return { disk: new MemoryDisk((fn) => queue.push(fn)), settle };
}

describeDisk("memory", () => {
  const { disk, settle } = makeDisk();
  return { disk, again: () => disk, settle, dispose: () => {} };
});

function contentOf(disk: MemoryDisk, path: string): string {
  return [...disk.open(path, "existing").read(0, 100)].join("");
}

/** Every content that power failures of this disk left in the test. */
function outcomes(disk: MemoryDisk, show: (after: MemoryDisk) => string): Set<string> {
  const seen = new Set<string>();
  for (let seed = 0; seed < 1_500; seed++) {
    seen.add(show(disk.crashed(new Dice(seed).sequence(), () => {})));
  }
  return seen;
}

const bytes = (text: string): Uint8Array => Uint8Array.from(text, Number);

describe("a power failure", () => {
  test("keeps what was synced, and of the rest nothing, all or a piece, in any order", () => {
    const { disk, settle } = makeDisk();
    const file = disk.open("a", "create");
    disk.syncDir("");
    file.write(0, bytes("1111"));
    file.sync(() => {});
    file.write(0, bytes("22"));
    settle();
    file.write(2, bytes("33"));
    const seen = outcomes(disk, (after) => contentOf(after, "a"));
    expect(seen).toEqual(
      new Set(["1111", "2111", "2211", "1131", "1133", "2131", "2133", "2231", "2233"]),
    );
  });

  test("tears large writes at sectors too, leaving holes", () => {
    const { disk } = makeDisk();
    const file = disk.open("a", "create");
    file.allocate(2_000);
    file.syncNow();
    disk.syncDir("");
    file.write(100, new Uint8Array(1_500).fill(1));
    const seen = outcomes(disk, (after) => {
      const content = after.open("a", "existing").read(0, 2_000);
      return [100, 511, 512, 1_023, 1_024, 1_599].map((at) => content[at]).join("");
    });
    expect(seen).toContain("000011");
    expect(seen).toContain("110011");
  });

  test("keeps synced names; others come and go, each for itself", () => {
    const { disk } = makeDisk();
    for (const name of ["kept", "renamed", "removed"]) disk.open(name, "create");
    disk.syncDir("");
    disk.remove("removed");
    disk.rename("renamed", "target");
    disk.open("new", "create");
    const seen = outcomes(disk, (after) => after.list("").join(" "));
    expect(seen).toContain("kept");
    expect(seen).toContain("kept new removed renamed target");
    expect(seen.size).toBe(16);
    for (const names of seen) expect(names).toContain("kept");
  });

  test("takes a folder that was not synced away with all in it", () => {
    const { disk } = makeDisk();
    disk.makeDir("a/b");
    disk.open("a/b/file", "create").syncNow();
    disk.syncDir("a/b");
    const show = (after: MemoryDisk): string => String(after.exists("a/b/file"));
    expect(outcomes(disk, show)).toEqual(new Set(["true", "false"]));
    disk.syncDir("a");
    expect(outcomes(disk, show)).toEqual(new Set(["true", "false"]));
    disk.syncDir("");
    expect(outcomes(disk, show)).toEqual(new Set(["true"]));
  });

  test("gives the same disk for the same seed", () => {
    const { disk } = makeDisk();
    disk.open("a", "create").write(0, new Uint8Array(5_000).fill(7));
    const image = (rng: Rng): string => {
      const after = disk.crashed(rng, () => {});
      return after.exists("a") ? after.open("a", "existing").read(0, 5_000).join() : "";
    };
    for (let seed = 0; seed < 20; seed++) {
      expect(image(new Dice(seed).sequence())).toBe(image(new Dice(seed).sequence()));
    }
  });
});

describe("the death of a process", () => {
  test("loses nothing and settles nothing", () => {
    const { disk } = makeDisk();
    disk.open("a", "create").write(0, bytes("12"));
    const after = disk.orphaned(() => {});
    expect(contentOf(after, "a")).toBe("12");
    const lost = outcomes(after, (image) => String(image.exists("a") && contentOf(image, "a")));
    expect(lost).toEqual(new Set(["false", "", "1", "12"]));
    // An event of one disk does not affect the other.
    after.open("a", "existing").write(0, bytes("9"));
    expect(contentOf(disk, "a")).toBe("12");
  });
});

describe("faults", () => {
  test("no space: the write has no effect, what fits still goes", () => {
    const { disk } = makeDisk();
    const file = disk.open("a", "create");
    disk.faults.spaceBytes = 3;
    file.write(0, bytes("12"));
    expect(() => file.write(2, bytes("34"))).toThrow("ENOSPC");
    expect(() => file.allocate(9)).toThrow("ENOSPC");
    file.write(0, bytes("56"));
    file.write(2, bytes("7"));
    expect(contentOf(disk, "a")).toBe("567");
  });

  test("after a failed sync the bytes can be read, and no later sync makes them durable", () => {
    const { disk, settle } = makeDisk();
    const file = disk.open("a", "create");
    disk.syncDir("");
    file.write(0, bytes("1"));
    const errors: (string | undefined)[] = [];
    disk.faults.failNextSync = true;
    file.sync((error) => errors.push(error?.message));
    settle();
    file.sync((error) => errors.push(error?.message));
    settle();
    expect(errors).toEqual(["EIO: fdatasync", undefined]);
    expect(contentOf(disk, "a")).toBe("1");
    expect(outcomes(disk, (after) => contentOf(after, "a"))).toEqual(new Set(["", "1"]));
    disk.faults.failNextSync = true;
    expect(() => file.syncNow()).toThrow("EIO");
  });

  test("a flipped bit is there for readers and after a crash", () => {
    const { disk } = makeDisk();
    const file = disk.open("a", "create");
    file.write(0, bytes("12"));
    file.syncNow();
    disk.syncDir("");
    disk.flipBit("a", 1, 2);
    expect(contentOf(disk, "a")).toBe("16");
    expect(outcomes(disk, (after) => contentOf(after, "a"))).toEqual(new Set(["16"]));
  });
});
