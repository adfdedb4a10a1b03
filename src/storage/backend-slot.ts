/**
 * Which of the member's backends is the one in use: a small file that is replaced as a whole, so a
 * crash leaves the old name or the new one. A new state (snapshot, defragmentation) is first made
 * durable under its own name, then named here, then the old one goes.
 */
import { DamageError } from "../base/errors.js";
import type { BackendStore } from "../platform/backend.js";
import type { Disk } from "../platform/disk.js";

const path = "backend.current";
const draft = "backend.current.tmp";
const validName = /^[a-z0-9-]{1,64}$/;

/** Undefined: no backend was ever put in use here. */
export function readSlot(disk: Disk): string | undefined {
  if (!disk.exists(path)) return undefined;
  const file = disk.open(path, "existing");
  const name = new TextDecoder().decode(file.read(0, 1024)).trimEnd();
  file.close();
  if (!validName.test(name)) {
    throw new DamageError(
      `${path} does not name a backend. Write the newest name found in the folder "backends" into it, or restore this member from its peers`,
    );
  }
  return name;
}

export function writeSlot(disk: Disk, name: string): void {
  if (disk.exists(draft)) disk.remove(draft);
  const file = disk.open(draft, "create");
  file.write(0, new TextEncoder().encode(`${name}\n`));
  file.syncNow();
  file.close();
  disk.rename(draft, path);
  disk.syncDir("");
}

/** Names of wrong backends that are kept for people to look at, oldest first. */
const asidePath = "backends.aside";
/** So many of them; each is as large as a whole state. */
const asideMax = 2;

export function readAside(disk: Disk): readonly string[] {
  if (!disk.exists(asidePath)) return [];
  const file = disk.open(asidePath, "existing");
  const lines = new TextDecoder().decode(file.read(0, 4096)).split("\n");
  file.close();
  return lines.filter((line) => validName.test(line));
}

/** Adds one, and removes the oldest beyond the limit. */
export function keepAside(disk: Disk, backends: BackendStore, name: string): void {
  const all = [...readAside(disk).filter((known) => known !== name), name];
  const kept = all.slice(-asideMax);
  if (disk.exists(asidePath)) disk.remove(asidePath);
  const file = disk.open(asidePath, "create");
  file.write(0, new TextEncoder().encode(`${kept.join("\n")}\n`));
  file.syncNow();
  file.close();
  disk.syncDir("");
  const present = backends.list();
  for (const old of all) {
    if (!kept.includes(old) && present.includes(old)) backends.remove(old);
  }
}
