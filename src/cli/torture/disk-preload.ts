/**
 * Loaded into a member before its own code: what the member writes to its log is slow, or fails, as
 * the file LOCKSTEP_TORTURE_DISK says ("slow", "full" or "failing"; empty or absent: as ever). It
 * stands before the functions of node:fs, so it does not reach the backend, which LMDB writes by
 * itself.
 */
import fs, { readFileSync } from "node:fs";

const file = process.env.LOCKSTEP_TORTURE_DISK;
const pollMs = 50;
const slowMs = 150;
const errors = {
  full: ["ENOSPC", "no space left on device"],
  failing: ["EIO", "i/o error"],
} as const;

type Trouble = "slow" | keyof typeof errors | "";
type Callback = (error: Error | null, ...rest: readonly unknown[]) => void;
type Plain = (...args: unknown[]) => unknown;

if (file !== undefined) {
  let trouble: Trouble = "";
  const look = (): void => {
    try {
      trouble = readFileSync(file, "utf8") as Trouble;
    } catch {
      trouble = "";
    }
  };
  look();
  setInterval(look, pollMs).unref();
  const clock = new Int32Array(new SharedArrayBuffer(4));

  /** A full disk still syncs what it holds. */
  const failure = (isWrite: boolean): Error | undefined => {
    if (trouble !== "failing" && (trouble !== "full" || !isWrite)) return undefined;
    const [code, text] = errors[trouble];
    return Object.assign(new Error(`${code}: ${text}`), { code });
  };
  const blocking = (real: Plain, isWrite: boolean): Plain => {
    return (...args) => {
      const error = failure(isWrite);
      if (error !== undefined) throw error;
      if (trouble === "slow") Atomics.wait(clock, 0, 0, slowMs);
      return real(...args);
    };
  };
  const later = (real: Plain, isWrite: boolean): Plain => {
    return (...args) => {
      const done = args.at(-1) as Callback;
      const error = failure(isWrite);
      if (error !== undefined) setImmediate(done, error);
      else if (trouble === "slow") setTimeout(() => real(...args), slowMs);
      else real(...args);
    };
  };
  const functions = fs as unknown as Record<string, Plain>;
  for (const [name, isWrite] of [
    ["writeSync", true],
    ["fdatasyncSync", false],
    ["fsyncSync", false],
  ] as const) {
    functions[name] = blocking(functions[name] as Plain, isWrite);
  }
  for (const [name, isWrite] of [
    ["write", true],
    ["fdatasync", false],
    ["fsync", false],
  ] as const) {
    functions[name] = later(functions[name] as Plain, isWrite);
  }
}
