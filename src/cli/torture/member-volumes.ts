/**
 * A small file system in memory (tmpfs) for the data of each member, so that a member's disk can
 * really be full. It needs Linux and root. All are unmounted when this process ends, for any reason
 * but SIGKILL.
 */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs";
import path from "node:path";

const sizeMib = 256;
const fillBytes = 256 * 1024;
const filler = "filler";

export class MemberVolumes {
  /** Mounted folders, by member. */
  readonly #mounted = new Map<string, string>();
  readonly #atExit = (): void => this.unmountAll();

  /** Mounts a volume for each member. @throws Error that says why it is not permitted */
  constructor(folders: ReadonlyMap<string, string>) {
    process.on("exit", this.#atExit);
    try {
      for (const [member, folder] of folders) {
        mkdirSync(folder, { recursive: true });
        mount(folder);
        this.#mounted.set(member, folder);
      }
    } catch (error) {
      this.unmountAll();
      for (const folder of folders.values()) rmSync(folder, { recursive: true, force: true });
      throw new Error(`a volume needs root and mount(8): ${firstLine(error as Error)}`);
    }
  }

  folder(member: string): string {
    return this.#mounted.get(member) ?? "";
  }

  /** Takes all space that is left. */
  fill(member: string): void {
    const file = openSync(path.join(this.folder(member), filler), "w");
    const bytes = Buffer.alloc(fillBytes);
    try {
      // tmpfs gives whole pages, so the last, short writes take what is left.
      for (let size = fillBytes; size >= 1; ) {
        try {
          writeSync(file, bytes, 0, size);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
          size = Math.floor(size / 2);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  free(member: string): void {
    rmSync(path.join(this.folder(member), filler), { force: true });
  }

  /** Call when no process uses them any more. */
  unmountAll(): void {
    process.off("exit", this.#atExit);
    for (const folder of this.#mounted.values()) {
      unmount(folder);
      rmdirSync(folder);
    }
    this.#mounted.clear();
  }
}

function mount(folder: string): void {
  const options = `size=${sizeMib}m,mode=0700`;
  const words = ["-t", "tmpfs", "-o", options, "lockstep-torture", folder];
  execFileSync("mount", words, { stdio: "pipe" });
}

/** A process that was killed a moment ago may still hold it: then it goes when that is gone. */
function unmount(folder: string): void {
  try {
    execFileSync("umount", [folder], { stdio: "pipe" });
  } catch {
    execFileSync("umount", ["--lazy", folder], { stdio: "pipe" });
  }
}

/** The command's own words come after Node's line about it. */
function firstLine({ message }: Error): string {
  const [first = "", second] = message.split("\n");
  return second === undefined || second === "" ? first : second;
}
