/** Runs the `lockstep` of this build as users do, and keeps what it prints. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { cleanEnv } from "../../src/cli/stage/server-process.js";
import { projectRoot } from "../support/server-kind.js";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

export const launcher = join(projectRoot, "bin/lockstep");

/** Resolves when the command has ended, with any exit code. */
export function lockstepIn(folder: string, ...words: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const args = [launcher, ...words];
    execFile(process.execPath, args, { env: cleanEnv(), cwd: folder }, (failure, out, error) => {
      resolve({ code: Number(failure?.code ?? 0), out, error });
    });
  });
}
