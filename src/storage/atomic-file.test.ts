/** The power fails at each call of the disk. Afterwards the old bytes or the new ones are there. */
import { expect, test } from "vitest";
import type { BackendStore } from "../platform/backend.js";
import type { Disk } from "../platform/disk.js";
import { MemoryDisk } from "../verify/sim/platform/memory-disk.js";
import { createSeededRng } from "../verify/sim/platform/seeded-rng.js";
import { readFile, replaceFile } from "./atomic-file.js";
import { keepAside, readAside } from "./backend-slot.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (disk: Disk, path: string): string | undefined => {
  const found = readFile(disk, path, 100);
  return found && new TextDecoder().decode(found);
};

class PowerFailure extends Error {}

/**
 * Fails at call number `at` of those that change the disk, before or after the call takes effect.
 */
function failingDisk(disk: MemoryDisk, at: number, isAfter: boolean): Disk {
  let calls = 0;
  const counted = <T>(work: () => T): T => {
    const isLast = ++calls === at;
    if (isLast && !isAfter) throw new PowerFailure();
    const result = work();
    if (isLast) throw new PowerFailure();
    return result;
  };
  return new Proxy(disk, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      const call = value.bind(target) as (...args: unknown[]) => unknown;
      if (name === "open") {
        return (...args: unknown[]) => {
          const file = counted(() => call(...args)) as ReturnType<Disk["open"]>;
          return {
            ...{ size: () => file.size(), close: () => file.close() },
            read: (from: number, length: number) => file.read(from, length),
            write: (to: number, data: Uint8Array) => counted(() => file.write(to, data)),
            syncNow: () => counted(() => file.syncNow()),
          };
        };
      }
      if (["remove", "rename", "syncDir"].includes(String(name)))
        return (...args: unknown[]) => counted(() => call(...args));
      return call;
    },
  }) as Disk;
}

/** Runs `work` with a power failure at each disk call, and `look` on the disk that is left. */
function atEachFailure(
  prepare: (disk: Disk) => void,
  work: (disk: Disk) => void,
  look: (disk: MemoryDisk) => void,
): number {
  for (let at = 1; ; at++) {
    let isOver = true;
    for (const isAfter of [false, true]) {
      for (let seed = 0; seed < 20; seed++) {
        const disk = new MemoryDisk(() => {});
        prepare(disk);
        try {
          work(failingDisk(disk, at, isAfter));
        } catch (error) {
          if (!(error instanceof PowerFailure)) throw error;
          isOver = false;
        }
        look(disk.crashed(createSeededRng(seed), () => {}));
      }
    }
    if (isOver) return at;
  }
}

test("a file that is replaced holds the old bytes or the new ones", () => {
  const seen = new Set<string | undefined>();
  const calls = atEachFailure(
    (disk) => replaceFile(disk, "note", bytes("old")),
    (disk) => replaceFile(disk, "note", bytes("new one")),
    (disk) => seen.add(text(disk, "note")),
  );
  expect(calls).toBeGreaterThan(4);
  expect([...seen].sort()).toEqual(["new one", "old"]);
});

test("a draft that a crash left does not hinder the next replacement", () => {
  const disk = new MemoryDisk(() => {});
  expect(() => replaceFile(failingDisk(disk, 3, false), "note", bytes("one"))).toThrow(
    PowerFailure,
  );
  replaceFile(disk, "note", bytes("two"));
  expect(text(disk, "note")).toBe("two");
});

test("the list of backends that are kept aside is never lost", () => {
  const removed: string[] = [];
  const backends = {
    list: () => ["wrong-1", "wrong-2", "wrong-3"],
    remove: (name: string) => removed.push(name),
  } as unknown as BackendStore;
  atEachFailure(
    (disk) => {
      keepAside(disk, backends, "wrong-1");
      keepAside(disk, backends, "wrong-2");
      removed.length = 0;
    },
    (disk) => keepAside(disk, backends, "wrong-3"),
    (disk) => {
      const kept = readAside(disk);
      expect([
        ["wrong-1", "wrong-2"],
        ["wrong-2", "wrong-3"],
      ]).toContainEqual(kept);
      // Every backend on the list is still there.
      for (const name of removed.splice(0)) expect(kept).not.toContain(name);
    },
  );
});
