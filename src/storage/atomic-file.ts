/**
 * Small files that are replaced as a whole: after a crash at any moment the file has the old bytes
 * or the new ones.
 */
import type { Disk } from "../platform/disk.js";

const draftSuffix = ".tmp";

/**
 * Replaces the file at `path`. The new bytes are durable when this returns. @throws the disk's
 * errors; the old file is still there then
 */
export function replaceFile(disk: Disk, path: string, bytes: Uint8Array): void {
  const draft = path + draftSuffix;
  if (disk.exists(draft)) disk.remove(draft);
  const file = disk.open(draft, "create");
  try {
    file.write(0, bytes);
    file.syncNow();
  } finally {
    file.close();
  }
  disk.rename(draft, path);
  disk.syncDir("");
}

/** Reads the first `bytesMax` bytes of a file. Undefined: there is no such file. */
export function readFile(disk: Disk, path: string, bytesMax: number): Uint8Array | undefined {
  if (!disk.exists(path)) return undefined;
  const file = disk.open(path, "existing");
  try {
    return file.read(0, bytesMax);
  } finally {
    file.close();
  }
}
