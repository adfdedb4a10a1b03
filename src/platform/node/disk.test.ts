import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { StartError } from "../../base/errors.js";
import { describeDisk } from "../disk.contract.js";
import { createNodeDisk } from "./disk.js";

const noLog = (): void => undefined;

function temporary(): { root: string; dispose: () => void } {
  const root = mkdtempSync(join(tmpdir(), "node-disk-"));
  return { root, dispose: () => rmSync(root, { recursive: true }) };
}

describeDisk("node", () => {
  const { root, dispose } = temporary();
  return {
    disk: createNodeDisk(root, noLog),
    again: () => createNodeDisk(root, noLog),
    settle: () => {},
    dispose,
  };
});

test("a missing data directory is made, with its parents, for its owner alone", () => {
  const { root, dispose } = temporary();
  createNodeDisk(join(root, "a/b"), noLog);
  expect(statSync(join(root, "a/b")).mode & 0o777).toBe(0o700);
  createNodeDisk(join(root, "a/b"), noLog).makeDir("c/d");
  expect(existsSync(join(root, "a/b/c/d"))).toBe(true);
  dispose();
});

test("a place that cannot be a directory is refused with a word on what to do", () => {
  const { root, dispose } = temporary();
  writeFileSync(join(root, "file"), "");
  expect(() => createNodeDisk(join(root, "file"), noLog)).toThrow(StartError);
  expect(() => createNodeDisk(join(root, "file/below"), noLog)).toThrow(/choose another one/);
  dispose();
});

test("who was refused the lock does not give it back for another", () => {
  const { root, dispose } = temporary();
  const owner = createNodeDisk(root, noLog);
  owner.lock();
  const refused = createNodeDisk(root, noLog);
  expect(() => refused.lock()).toThrow(StartError);
  refused.close();
  expect(() => createNodeDisk(root, noLog).lock()).toThrow(StartError);
  owner.close();
  dispose();
});

test("many small durable writes, in this thread or the pool: each is told later, all are there", async () => {
  const { root, dispose } = temporary();
  const file = createNodeDisk(root, noLog).open("a", "create");
  file.allocate(4096);
  for (let at = 0; at < 200; at++) {
    let isInside = true;
    const told = new Promise<boolean>((resolve) => {
      file.writeAndSync(at, Uint8Array.of(at), (error) =>
        resolve(error === undefined && !isInside),
      );
    });
    isInside = false;
    expect(await told).toBe(true);
    file.writeAhead(at + 1, Uint8Array.of(255));
    // A client's next request takes a moment.
    if (at % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect([...file.read(0, 200)]).toEqual(Array.from({ length: 200 }, (_, at) => at));
  file.close();
  dispose();
});
