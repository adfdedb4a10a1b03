import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { LostWrites } from "../../torture/ports.js";
import { loseWrites } from "./lost-writes.js";

const root = mkdtempSync(join(tmpdir(), "lockstep-lost-writes-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const [folder, kept] = [join(root, "m1.data"), join(root, "m1.data.kept")];
const block = 4_096;

beforeEach(() => {
  for (const one of [folder, kept]) rmSync(one, { recursive: true, force: true });
  mkdirSync(join(folder, "wal"), { recursive: true });
  mkdirSync(join(folder, "backends"));
  write("wal/1.wal", Buffer.alloc(4 * block, "a"));
  write("backends/state-1.mdb", "old rows");
  cpSync(folder, kept, { recursive: true });
  write("wal/1.wal", Buffer.concat([Buffer.alloc(block, "a"), Buffer.alloc(3 * block, "b")]));
  write("wal/2.wal", "new");
  write("backends/state-1.mdb", "new rows");
  write("backends/state-2.mdb", "more rows");
});

function write(name: string, content: string | Buffer): void {
  writeFileSync(join(folder, name), content);
}
function read(name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), "latin1");
  } catch {
    return undefined;
  }
}
/** The first letter of each block of the first segment. */
function blocks(): string {
  return [0, 1, 2, 3].map((at) => read("wal/1.wal")?.[at * block]).join("");
}
function lose(lost: LostWrites, draws: readonly number[] = []): string {
  const left = [...draws];
  return loseWrites({ folder, kept, lost, rng: { int: () => left.shift() ?? 0 } });
}

test.each([
  ["all", "aaaa", undefined, "old rows", undefined],
  ["log", "aaaa", undefined, "new rows", "more rows"],
  ["backend", "abbb", "new", "old rows", undefined],
] as const)(
  "%s: the lost part is as it was kept, with its names",
  (lost, log, segment, ...rows) => {
    expect(lose(lost)).toMatch(/ as before$/);
    expect([blocks(), read("wal/2.wal")]).toEqual([log, segment]);
    expect([read("backends/state-1.mdb"), read("backends/state-2.mdb")]).toEqual(rows);
  },
);

test("blocks: each changed block of the log is old or new; a file of no former content is zeros", () => {
  expect(lose("blocks", [1, 0, 1, 1])).toBe("3 of 4 changed blocks of the log are as before");
  expect([blocks(), read("wal/2.wal")]).toEqual(["aaba", "\0\0\0"]);
  expect(read("backends/state-1.mdb")).toBe("new rows");
});
