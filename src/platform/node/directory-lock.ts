/**
 * The exclusive right to a data directory. The kernel holds a lock on `member.lock`
 * (kernel-lock.ts). All processes of the machine see it, in any container. Each process also leaves
 * a claim by its process id (process-claim.ts). The claim keeps out processes that cannot take the
 * kernel's lock: those without a `flock` program, and older builds. Where there is no kernel lock,
 * only the claim protects, and a warning says what is not protected.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { StartError } from "../../base/errors.js";
import type { Platform } from "../platform.js";
import { lockFile } from "./kernel-lock.js";
import { claimDirectory } from "./process-claim.js";

const fileName = "member.lock";

/** What the lock file says about the process that holds it. Used only for the text of a refusal. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** The name that the kernel gives the PID namespace; "" where the kernel does not say. */
  readonly pidNamespace: string;
}

/**
 * Takes the right and returns a function that gives it back. @throws StartError if a living process
 * has the directory, this one included
 */
export function takeDirectory(root: string, log: Platform["log"]): () => void {
  const handle = lock(root, log);
  const unlock = (): void => {
    if (handle === undefined) return;
    note(handle, "");
    fs.closeSync(handle);
  };
  try {
    const claim = claimDirectory(root);
    if (claim.kind === "taken") throw inUse(root, `process ${claim.pid}`);
    return () => {
      claim.release();
      unlock();
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Takes the kernel's lock and returns its descriptor. Undefined: there is no kernel lock here. */
function lock(root: string, log: Platform["log"]): number | undefined {
  const file = path.join(root, fileName);
  const result = lockOrThrow(file);
  if (result.kind === "taken") throw inUse(root, describeHolder(file));
  if (result.kind === "held") {
    const holder: Holder = { pid: process.pid, host: os.hostname(), pidNamespace: pidNamespace() };
    note(result.handle, `${JSON.stringify(holder)}\n`);
    return result.handle;
  }
  log(
    "warn",
    "the kernel holds no lock on the data directory: a second member on it is refused only if both run in the same PID namespace (container) of one machine; make sure that none starts elsewhere, or install the program flock (util-linux or busybox) and use a file system with locks",
    { "data-dir": root, reason: result.reason },
  );
  return undefined;
}

function lockOrThrow(file: string): ReturnType<typeof lockFile> {
  try {
    return lockFile(file);
  } catch (cause) {
    throw new StartError(
      `cannot open the lock file "${file}" (${(cause as Error).message}): it must be a file that this user may read and write`,
    );
  }
}

/**
 * Writes the holder's note. A failure is ignored: a full disk must not prevent a start, and without
 * a note a refusal only names no process.
 */
function note(handle: number, text: string): void {
  try {
    fs.ftruncateSync(handle, 0);
    if (text !== "") fs.writeSync(handle, text, 0);
  } catch {
    // Ignored: see above.
  }
}

function describeHolder(file: string): string {
  try {
    const { pid, host, pidNamespace: theirs } = JSON.parse(fs.readFileSync(file, "utf8")) as Holder;
    const isSeen = theirs === pidNamespace();
    return isSeen
      ? `process ${pid}`
      : `process ${pid} of another PID namespace (host name "${host}")`;
  } catch {
    return "another process";
  }
}

function pidNamespace(): string {
  try {
    return fs.readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function inUse(root: string, holder: string): StartError {
  return new StartError(
    `the data directory "${root}" is in use by ${holder}: stop it, or start this member with another --data-dir`,
  );
}
