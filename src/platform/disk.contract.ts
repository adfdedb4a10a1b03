/**
 * The contract of disk.ts as tests, run against the real disk and the simulated one. They do not
 * test what survives a crash: the simulated disk defines that, and crash tests of real processes
 * and the log's own tests rely on it.
 */
import { describe, expect, test } from "vitest";
import { StartError } from "../base/errors.js";
import type { Disk, DiskFile } from "./disk.js";

/** A fresh, empty place for a data directory. */
export interface DiskPlace {
  readonly disk: Disk;
  /** The same place, as another member sees it when it starts there. */
  again(): Disk;
  /** Lets syncs complete; needed on the simulated disk. */
  settle(): void;
  dispose(): void;
}

type Within = (body: (place: DiskPlace) => void | Promise<void>) => Promise<void>;

export function describeDisk(name: string, makePlace: () => DiskPlace): void {
  const within: Within = async (body) => {
    const place = makePlace();
    try {
      await body(place);
    } finally {
      place.dispose();
    }
  };
  describe(`${name}: disk contract`, () => {
    describeNames(within);
    describeContent(within);
    describeSync(within);
    describeLock(within);
  });
}

function describeNames(within: Within): void {
  test("names are listed sorted, files and folders of one level; a missing folder is empty", () =>
    within(({ disk }) => {
      expect(disk.list("")).toEqual([]);
      expect(disk.list("none")).toEqual([]);
      disk.makeDir("b/c");
      disk.makeDir("b/c");
      for (const path of ["z", "a", "b/2", "b/10", "b/c/deep"]) disk.open(path, "create").close();
      expect(disk.list("")).toEqual(["a", "b", "z"]);
      expect(disk.list("b")).toEqual(["10", "2", "c"]);
      expect(["a", "b", "b/c/deep", "c", "b/3"].map((path) => disk.exists(path))).toEqual([
        true,
        true,
        true,
        false,
        false,
      ]);
      disk.syncDir("");
      disk.syncDir("b/c");
    }));

  test("creating refuses what exists, opening what does not, both by the system's code", () =>
    within(({ disk }) => {
      disk.open("a", "create").close();
      expect(codeOf(() => disk.open("a", "create"))).toBe("EEXIST");
      expect(codeOf(() => disk.open("b", "existing"))).toBe("ENOENT");
      expect(codeOf(() => disk.open("none/a", "create"))).toBe("ENOENT");
      expect(codeOf(() => disk.remove("b"))).toBe("ENOENT");
      expect(codeOf(() => disk.rename("b", "c"))).toBe("ENOENT");
      expect(codeOf(() => disk.rename("a", "none/a"))).toBe("ENOENT");
      expect(codeOf(() => disk.syncDir("none"))).toBe("ENOENT");
      expect(disk.list("")).toEqual(["a"]);
    }));

  test("a rename replaces its target; an open file keeps its content whatever its name", () =>
    within(({ disk }) => {
      const old = created(disk, "target", [1]);
      const file = created(disk, "draft", [2, 3]);
      disk.rename("draft", "target");
      expect(disk.list("")).toEqual(["target"]);
      file.write(2, Uint8Array.of(4));
      expect(contentOf(disk, "target")).toEqual([2, 3, 4]);
      expect([...old.read(0, 10)]).toEqual([1]);
      disk.remove("target");
      expect([...file.read(0, 10)]).toEqual([2, 3, 4]);
      expect(disk.list("")).toEqual([]);
      old.close();
      file.close();
    }));
}

function describeContent(within: Within): void {
  test("reads what was written, zeros between, nothing behind the end", () =>
    within(({ disk }) => {
      const file = created(disk, "a", []);
      expect(file.size()).toBe(0);
      file.write(4, Uint8Array.of(1, 2, 3));
      file.write(5, Uint8Array.of(9));
      file.write(0, new Uint8Array(0));
      expect(file.size()).toBe(7);
      expect([...file.read(0, 100)]).toEqual([0, 0, 0, 0, 1, 9, 3]);
      expect([...file.read(5, 1)]).toEqual([9]);
      expect(file.read(7, 5)).toHaveLength(0);
      expect(file.read(700, 5)).toHaveLength(0);
      file.close();
      expect(contentOf(disk, "a")).toEqual([0, 0, 0, 0, 1, 9, 3]);
    }));

  test("what was read or given to write is the caller's own", () =>
    within(({ disk }) => {
      const file = created(disk, "a", []);
      const bytes = Uint8Array.of(1, 2);
      file.write(0, bytes);
      bytes.fill(7);
      file.read(0, 2).fill(8);
      expect([...file.read(0, 2)]).toEqual([1, 2]);
      file.close();
    }));

  test("allocate extends with zeros and touches nothing else", () =>
    within(({ disk }) => {
      const file = created(disk, "a", [1, 2]);
      file.allocate(2_500_000);
      expect(file.size()).toBe(2_500_000);
      file.write(2_400_000, Uint8Array.of(5));
      file.allocate(10);
      file.allocate(2_500_000);
      const content = file.read(0, 3_000_000);
      expect(content).toHaveLength(2_500_000);
      expect([content[0], content[1], content[2_400_000]]).toEqual([1, 2, 5]);
      expect(content.filter((byte) => byte !== 0)).toHaveLength(3);
      file.close();
    }));
}

function describeSync(within: Within): void {
  test("done is called once, later, and close does not prevent it", () =>
    within(async ({ disk, settle }) => {
      const file = created(disk, "a", [1]);
      const done: string[] = [];
      const sync = (name: string): Promise<void> =>
        new Promise((resolve) => {
          file.sync((error) => {
            done.push(`${name} ${error}`);
            resolve();
          });
        });
      const first = sync("first");
      file.write(1, Uint8Array.of(2));
      const second = sync("second");
      file.close();
      file.close();
      expect(done).toEqual([]);
      settle();
      await Promise.all([first, second]);
      expect(done.sort()).toEqual(["first undefined", "second undefined"]);
      expect(contentOf(disk, "a")).toEqual([1, 2]);
    }));

  test("a durable write covers earlier writes, and its bytes replace those written ahead", () =>
    within(async ({ disk, settle }) => {
      const file = created(disk, "a", [1, 2]);
      const ahead = Uint8Array.of(3, 4);
      file.writeAhead(2, ahead);
      ahead.fill(9);
      const done: (Error | undefined)[] = [];
      const write = (position: number, bytes: readonly number[]): Promise<void> =>
        new Promise((resolve) => {
          file.writeAndSync(position, Uint8Array.from(bytes), (error) => {
            done.push(error);
            resolve();
          });
          settle();
        });
      await write(2, [3, 4, 5]);
      await write(5, [6]);
      file.close();
      expect(done).toEqual([undefined, undefined]);
      expect(contentOf(disk, "a")).toEqual([1, 2, 3, 4, 5, 6]);
    }));

  test("close does not prevent a durable write, and the disk's close waits for it", () =>
    within(async ({ disk, settle }) => {
      const file = created(disk, "a", [1]);
      const written = new Promise((resolve) => file.writeAndSync(1, Uint8Array.of(2), resolve));
      file.writeAhead(2, Uint8Array.of(3));
      file.close();
      const closed = new Promise<void>((resolve) => disk.close(resolve));
      settle();
      await closed;
      expect(contentOf(disk, "a")).toEqual([1, 2, 3]);
      expect(await written).toBe(undefined);
    }));

  test("syncNow returns when it is done", () =>
    within(({ disk }) => {
      const file = created(disk, "a", [1]);
      file.syncNow();
      file.syncNow();
      file.close();
      expect(contentOf(disk, "a")).toEqual([1]);
    }));
}

function describeLock(within: Within): void {
  test("one member at a time", () =>
    within(({ disk, again }) => {
      disk.lock();
      const other = again();
      expect(() => other.lock()).toThrow(StartError);
      expect(() => disk.lock()).toThrow(/in use by/);
      disk.close();
      other.lock();
      expect(() => disk.lock()).toThrow(StartError);
      other.close();
    }));
}

function created(disk: Disk, path: string, bytes: readonly number[]): DiskFile {
  const file = disk.open(path, "create");
  file.write(0, Uint8Array.from(bytes));
  return file;
}

function contentOf(disk: Disk, path: string): number[] {
  const file = disk.open(path, "existing");
  try {
    return [...file.read(0, file.size())];
  } finally {
    file.close();
  }
}

function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
