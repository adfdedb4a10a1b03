/**
 * The slot: a small file that names the backend in use. It is replaced as a whole, so a crash
 * leaves the old name or the new one. A new state (snapshot, defragmentation) is first made durable
 * under its own name; then the slot names it; then the old backend is removed.
 */
import { DamageError } from "../base/errors.js";
import type { BackendStore } from "../platform/backend.js";
import type { Disk } from "../platform/disk.js";
import { readFile, replaceFile } from "./atomic-file.js";

const path = "backend.current";
const validName = /^[a-z0-9-]{1,64}$/;

/**
 * The name of the backend in use. Undefined: the file does not exist, so no backend was ever in
 * use. @throws DamageError
 */
export function readSlot(disk: Disk): string | undefined {
  const bytes = readFile(disk, path, 1024);
  if (bytes === undefined) return undefined;
  const name = new TextDecoder().decode(bytes).trimEnd();
  if (!validName.test(name)) {
    throw new DamageError({
      finding: `${path} does not name a backend`,
      advice: `Write the newest name found in the folder "backends" into it, or restore this member from its peers`,
    });
  }
  return name;
}

/** Names the backend in use. Durable when it returns. @throws the disk's errors */
export function writeSlot(disk: Disk, name: string): void {
  replaceFile(disk, path, new TextEncoder().encode(`${name}\n`));
}

/** Names of wrong backends that are kept for people to look at, oldest first. */
const asidePath = "backends.aside";
/** How many wrong backends are kept; each is as large as a whole state. */
const asideMax = 2;

/** The backends that are kept for people to look at, oldest first; empty if there are none. */
export function readAside(disk: Disk): readonly string[] {
  const bytes = readFile(disk, asidePath, 4096) ?? new Uint8Array(0);
  const lines = new TextDecoder().decode(bytes).split("\n");
  return lines.filter((line) => validName.test(line));
}

/** Adds `name`, and removes the oldest backends beyond the limit. Durable when it returns. */
export function keepAside(disk: Disk, backends: BackendStore, name: string): void {
  const all = [...readAside(disk).filter((known) => known !== name), name];
  const kept = all.slice(-asideMax);
  replaceFile(disk, asidePath, new TextEncoder().encode(`${kept.join("\n")}\n`));
  const present = backends.list();
  for (const old of all) {
    if (!kept.includes(old) && present.includes(old)) backends.remove(old);
  }
}
