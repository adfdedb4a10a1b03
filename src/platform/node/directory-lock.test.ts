import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeDirectory } from "./directory-lock.js";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "directory-lock-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

/** As the kernel counts it: field 22, behind the name in parentheses. */
function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] as string;
}

function claim(pid: number, start: string, bootId = boot): void {
  writeFileSync(join(root, `member.lock.${pid}.${start}.${bootId}`), "");
}

/** Another living process, with a name that is hard to parse. */
async function withOther(body: (pid: number) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "directory-lock-"));
  const program = join(folder, "x) S 1 (");
  symlinkSync(process.execPath, program);
  const other = spawn(program, ["-e", "setTimeout(() => {}, 60_000)"], { stdio: "ignore" });
  await once(other, "spawn");
  const exited = once(other, "exit");
  try {
    body(other.pid as number);
  } finally {
    other.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true });
  }
}

test("a living process keeps the directory and is named; after its death it is free", async () => {
  await withOther((pid) => {
    expect(readFileSync(`/proc/${pid}/comm`, "utf8")).toBe("x) S 1 (\n");
    claim(pid, startOf(pid));
    expect(() => takeDirectory(root)).toThrow(new RegExp(`in use by process ${pid}\\b`));
    // Who was refused leaves nothing behind.
    expect(readdirSync(root)).toEqual([`member.lock.${pid}.${startOf(pid)}.${boot}`]);
  });
  const release = takeDirectory(root);
  expect(readdirSync(root)).toEqual([`member.lock.${process.pid}.${startOf(process.pid)}.${boot}`]);
  release();
  expect(readdirSync(root)).toEqual([]);
});

test("claims of the dead are cleared: another start time of the id, another boot", async () => {
  await withOther((pid) => {
    claim(pid, "1");
    claim(pid, startOf(pid), "0-0");
    claim(2 ** 22 + 1, "7");
    writeFileSync(join(root, "member.lock.notes"), "kept");
    takeDirectory(root)();
    expect(readdirSync(root)).toEqual(["member.lock.notes"]);
  });
});

test("this process itself is refused the second time, and served again after the release", () => {
  const release = takeDirectory(root);
  expect(() => takeDirectory(root)).toThrow(new RegExp(`process ${process.pid}\\b`));
  release();
  takeDirectory(root)();
});
