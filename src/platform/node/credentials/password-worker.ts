/**
 * The thread that hashes and compares passwords, one after the other. The library is pure
 * JavaScript and uses none of the process's threads, on which the log is synced.
 */
import { parentPort } from "node:worker_threads";
import { compareSync, hashSync } from "bcryptjs";

export interface PasswordJob {
  readonly id: number;
  readonly password: string;
  readonly cost: number;
  /** The hash to compare with. Undefined: make one. */
  readonly hash: string | undefined;
}

export interface PasswordResult {
  readonly id: number;
  /** Undefined: the password is too long for bcrypt. */
  readonly hash: string | undefined;
  readonly fits: boolean;
}

/** bcrypt looks at no more bytes. etcd refuses longer passwords, too. */
const passwordBytesMax = 72;

parentPort?.on("message", ({ id, password, cost, hash }: PasswordJob) => {
  const result: PasswordResult =
    hash === undefined
      ? { id, hash: hashOf(password, cost), fits: false }
      : { id, hash: undefined, fits: fitsHash(password, hash) };
  parentPort?.postMessage(result);
});

function hashOf(password: string, cost: number): string | undefined {
  if (Buffer.byteLength(password) > passwordBytesMax) return undefined;
  // The form that etcd writes: the same algorithm under its older name.
  return hashSync(password, cost).replace(/^\$2[by]\$/, "$2a$");
}

function fitsHash(password: string, hash: string): boolean {
  try {
    return compareSync(password, hash);
  } catch {
    return false;
  }
}
