import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { takeDirectory } from "./directory-lock.js";

const path = process.env.PATH;
const lines: { readonly message: string; readonly fields: unknown }[] = [];
const log = (_level: string, message: string, fields: unknown): void => {
  lines.push({ message, fields });
};

let root = "";
beforeEach(() => {
  lines.length = 0;
  root = mkdtempSync(join(tmpdir(), "directory-lock-"));
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(root, { recursive: true });
});

const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

/**
 * The start time as the kernel counts it: field 22 of /proc/PID/stat, behind the name in
 * parentheses.
 */
function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] as string;
}

function claim(pid: number, start: string, bootId = boot): void {
  writeFileSync(join(root, `member.lock.${pid}.${start}.${bootId}`), "");
}

/** Runs `body` with another living process whose name is hard to parse. */
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

/** Puts a script in the place of the system's `flock`; with "" there is none at all. */
function useFlock(script: string): void {
  const folder = join(root, "programs");
  mkdirSync(folder);
  process.env.PATH = folder;
  if (script === "") return;
  writeFileSync(join(folder, "flock"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, "flock"), 0o755);
}

/**
 * Starts a process that holds the kernel's lock and nothing else, in a PID namespace of its own or
 * not.
 */
async function withHolder(
  command: readonly string[],
  body: (holder: ChildProcess) => Promise<void> | void,
): Promise<void> {
  const hold = `exec 3<>"$1"; flock -n -x 3 && echo held && exec sleep 60`;
  const [program, ...args] = [...command, "sh", "-c", hold, "sh", join(root, "member.lock")];
  const holder = spawn(program as string, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(holder, "exit");
  try {
    await once(holder.stdout as NodeJS.ReadableStream, "data");
    await body(holder);
  } finally {
    holder.kill("SIGKILL");
    await exited;
  }
}

describe("claims by process id", () => {
  test("a living process keeps the directory and is named; after its death it is free", async () => {
    await withOther((pid) => {
      expect(readFileSync(`/proc/${pid}/comm`, "utf8")).toBe("x) S 1 (\n");
      claim(pid, startOf(pid));
      expect(() => takeDirectory(root, log)).toThrow(new RegExp(`in use by process ${pid}\\b`));
      // A refused process leaves no claim behind.
      expect(readdirSync(root)).toEqual([
        "member.lock",
        `member.lock.${pid}.${startOf(pid)}.${boot}`,
      ]);
    });
    const release = takeDirectory(root, log);
    expect(readdirSync(root)).toEqual([
      "member.lock",
      `member.lock.${process.pid}.${startOf(process.pid)}.${boot}`,
    ]);
    release();
    expect(readdirSync(root)).toEqual(["member.lock"]);
  });

  test("claims of the dead are cleared: another start time of the id, another boot", async () => {
    await withOther((pid) => {
      claim(pid, "1");
      claim(pid, startOf(pid), "0-0");
      claim(2 ** 22 + 1, "7");
      writeFileSync(join(root, "member.lock.notes"), "kept");
      takeDirectory(root, log)();
      expect(readdirSync(root)).toEqual(["member.lock", "member.lock.notes"]);
    });
  });
});

test("this process itself is refused the second time, and served again after the release", () => {
  const release = takeDirectory(root, log);
  expect(() => takeDirectory(root, log)).toThrow(new RegExp(`process ${process.pid}\\b`));
  const link = `${root}.link`;
  symlinkSync(root, link);
  expect(() => takeDirectory(link, log)).toThrow(/in use by/);
  rmSync(link);
  release();
  takeDirectory(root, log)();
  expect(lines).toEqual([]);
});

const hasFlock = spawnSync("flock", ["--version"]).error === undefined;
const unshare = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child"];
const canUnshare = spawnSync(unshare[0] as string, [...unshare.slice(1), "true"]).status === 0;

describe.skipIf(!hasFlock)("the kernel's lock (skipped without the program flock)", () => {
  test.skipIf(!canUnshare)("keeps out other PID namespaces (skipped where unshare may not)", () =>
    withHolder(unshare, (holder) => {
      expect(readdirSync(root)).toEqual(["member.lock"]);
      expect(() => takeDirectory(root, log)).toThrow(/in use by another process: stop it/);
      expect(holder.exitCode).toBe(null);
    }),
  );

  test("tells of which container the holder is", () =>
    withHolder([], () => {
      const holder = { pid: 7, host: "pod-a", pidNamespace: "pid:[1]" };
      writeFileSync(join(root, "member.lock"), JSON.stringify(holder));
      expect(() => takeDirectory(root, log)).toThrow(
        'in use by process 7 of another PID namespace (host name "pod-a")',
      );
    }));

  test("is free as soon as the holder is dead, and its file is never removed", async () => {
    const file = join(root, "member.lock");
    let inode = 0;
    await withHolder([], () => {
      inode = statSync(file).ino;
      expect(() => takeDirectory(root, log)).toThrow(/in use/);
    });
    takeDirectory(root, log)();
    expect(statSync(file).ino).toBe(inode);
    expect(readFileSync(file, "utf8")).toBe("");
  });

  test("is not passed on to children, which may outlive this process", () => {
    const release = takeDirectory(root, log);
    const file = join(root, "member.lock");
    const listOpen = 'for fd in /proc/self/fd/*; do readlink "$fd"; done';
    const { stdout } = spawnSync("sh", ["-c", listOpen], { encoding: "utf8" });
    // Node connects a child by pipes or by sockets, which differs by version and load.
    expect(stdout).toMatch(/^(pipe|socket):/m);
    expect(stdout).not.toContain(file);
    release();
  });
});

describe("without the kernel's lock", () => {
  test.each([
    ["there is no program flock", "", /cannot run "flock": spawnSync flock ENOENT/],
    [
      "the file system has no locks",
      "echo 'flock: 3: No locks available' >&2; exit 71",
      /No locks/,
    ],
    ["the lock does not last", "exit 0", /a second descriptor could lock the file, too/],
    ["flock is killed", "kill -9 $$", /ended by SIGKILL/],
  ])("the claim is left, and a warning says so once: %s", (_what, script, reason) => {
    useFlock(script);
    const release = takeDirectory(root, log);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.message).toMatch(/holds no lock.*only if both run in the same PID namespace/);
    expect(lines[0]?.fields).toMatchObject({ reason: expect.stringMatching(reason) });
    expect(() => takeDirectory(root, log)).toThrow(new RegExp(`process ${process.pid}\\b`));
    release();
    expect(readdirSync(root)).toEqual(["member.lock", "programs"]);
  });
});

test("a lock file that cannot be one is refused with a word on what to do", () => {
  mkdirSync(join(root, "member.lock"));
  expect(() => takeDirectory(root, log)).toThrow(
    /must be a file that this user may read and write/,
  );
});
