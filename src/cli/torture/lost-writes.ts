/** Takes newer writes back, so that a folder is what a disk leaves that never synced. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Rng } from "../../platform/rng.js";
import type { LostWrites } from "../../torture/ports.js";

interface Lying {
  /** The data of a member that does not run. */
  readonly folder: string;
  /** A copy of it from before. */
  readonly kept: string;
  readonly lost: LostWrites;
  readonly rng: Pick<Rng, "int">;
}

/** The folder of the log; everything else is of the backend (docs/formats.md). */
const logFolder = "wal";
const blockBytes = 4_096;

/** @returns what was done, for people */
export function loseWrites(lying: Lying): string {
  const { folder, kept, lost } = lying;
  if (lost === "blocks") return loseBlocks(lying);
  const isLost = (name: string): boolean =>
    lost === "all" || (name === logFolder) === (lost === "log");
  for (const name of readdirSync(folder).filter(isLost)) {
    rmSync(path.join(folder, name), { recursive: true });
  }
  for (const name of readdirSync(kept).filter(isLost)) {
    cpSync(path.join(kept, name), path.join(folder, name), { recursive: true });
  }
  const what = { all: "log and backend are", log: "the log is", backend: "the backend is" }[lost];
  return `${what} as before`;
}

/** Names are those of now, as a journal of the file system may keep them. */
function loseBlocks({ folder, kept, rng }: Lying): string {
  let [changed, lost] = [0, 0];
  const before = readdirSync(path.join(kept, logFolder));
  for (const name of readdirSync(path.join(folder, logFolder)).sort()) {
    const file = path.join(folder, logFolder, name);
    const bytes = readFileSync(file);
    const old = Buffer.alloc(bytes.length);
    if (before.includes(name)) readFileSync(path.join(kept, logFolder, name)).copy(old);
    for (let at = 0; at < bytes.length; at += blockBytes) {
      const was = old.subarray(at, at + blockBytes);
      if (bytes.subarray(at, at + blockBytes).equals(was)) continue;
      changed++;
      if (rng.int(2) === 0) continue;
      was.copy(bytes, at);
      lost++;
    }
    writeFileSync(file, bytes);
  }
  return `${lost} of ${changed} changed blocks of the log are as before`;
}
