/** The program that the members of a torture run execute. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { etcd34Flags } from "../stage/member-flags.js";

export interface Program {
  readonly command: string;
  /** Its arguments, without the flags that differ from member to member. */
  readonly args: readonly string[];
  /** The version that the program prints. */
  readonly version: string;
  readonly kind: "lockstep" | "etcd";
}

/** Modules that Node loads before a member's own code. */
const preloads = ["clock-preload.js", "disk-preload.js"].map(
  (name) => `--import=${new URL(name, import.meta.url).href}`,
);

/** @param launcher the file that Node runs: bin/lockstep, or the one of a build with a mutant */
export function lockstepProgram(launcher: string, version: string): Program {
  return {
    command: process.execPath,
    args: [...preloads, launcher, "server"],
    ...{ version: `lockstep ${version}`, kind: "lockstep" },
  };
}

/** The launcher of this build. */
export function ownLauncher(): string {
  return fileURLToPath(new URL("../../../bin/lockstep", import.meta.url));
}

/** @throws Error with a text for people */
export function etcdProgram(command: string): Program {
  const { stdout, error } = spawnSync(command, ["--version"], { encoding: "utf8" });
  if (error !== undefined) throw new Error(`${command} cannot be run: ${error.message}`);
  const version = /^etcd Version: (\S+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${command} --version does not say that it is etcd`);
  const args = version.startsWith("3.4.") ? etcd34Flags : [];
  return { command, args, version: `etcd ${version}`, kind: "etcd" };
}
