/**
 * flock(2) on a file: the kernel holds the lock, so it is seen from every PID namespace of the
 * machine, and it ends with the process, however that ends. Node cannot call flock, so the program
 * `flock` (util-linux or busybox) takes the lock on a descriptor that it inherits. The lock belongs
 * to the open file, not to the program that took it: it lasts until this process closes the
 * descriptor or ends. Children never inherit it, because Node opens files close-on-exec.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";

export type KernelLock =
  | { readonly kind: "held"; readonly handle: number }
  | { readonly kind: "taken" }
  /** There is no `flock` program, or the file system keeps no locks. */
  | { readonly kind: "unavailable"; readonly reason: string };

/** `flock` is told not to wait, but an unreachable network file system may not answer at all. */
const timeoutMs = 30_000;

/**
 * Locks a file. Creates the file if it is missing and never removes it: a process that locked a
 * removed file would share nothing with one that locks the new file. Close the handle to release
 * the lock. @throws the system's error if the file cannot be opened
 */
export function lockFile(file: string): KernelLock {
  const handle = open(file);
  const answer = flock(handle);
  const result = answer === "locked" && !isLockedFor(file) ? notKept : answer;
  if (result === "locked") return { kind: "held", handle };
  fs.closeSync(handle);
  return result === "refused"
    ? { kind: "taken" }
    : { kind: "unavailable", reason: result.unavailable };
}

const notKept = { unavailable: "a second descriptor could lock the file, too" };

/**
 * Proves that the lock outlives the program that took it, and that it keeps other processes out.
 */
function isLockedFor(file: string): boolean {
  const other = open(file);
  try {
    return flock(other) === "refused";
  } finally {
    fs.closeSync(other);
  }
}

function open(file: string): number {
  return fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
}

function flock(handle: number): "locked" | "refused" | { readonly unavailable: string } {
  // The program's descriptor 3 is this handle. -n: do not wait, -x: exclusive; both know these.
  const { status, signal, error, stderr } = spawnSync("flock", ["-n", "-x", "3"], {
    stdio: ["ignore", "ignore", "pipe", handle],
    encoding: "utf8",
    timeout: timeoutMs,
  });
  if (error !== undefined) return { unavailable: `cannot run "flock": ${error.message}` };
  if (status === 0) return "locked";
  // Both programs print nothing when the lock is taken, and name any other cause.
  if (status === 1 && stderr === "") return "refused";
  const how = status === null ? `ended by ${signal}` : `ended with code ${status}`;
  return { unavailable: `"flock" ${how}: ${stderr.trim()}` };
}
