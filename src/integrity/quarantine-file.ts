/**
 * The member's own note on its disk that its state is wrong. The member writes it before it does
 * anything about that, and removes it when it has healed. So a crash at any step leads back into
 * quarantine.
 */
import type { Disk } from "../platform/disk.js";
import { readFile, replaceFile } from "../storage/atomic-file.js";
import type { OtherLog } from "./divergence/other-log.js";

const path = "quarantine.json";
const sizeMax = 64 * 1024;

export interface Quarantine {
  /** What was found, in one sentence. */
  readonly reason: string;
  /** The log index of the difference, or the applied index of the damaged state. */
  readonly index: number;
  /** Unix time in milliseconds. */
  readonly sinceMs: number;
  /** How many attempts to heal failed. */
  readonly failures: number;
  /** The name of the wrong backend, which is kept aside. */
  readonly backend: string;
  /** What each member answered, as text for people. */
  readonly evidence: readonly string[];
  /**
   * This member's log belongs to another history. A fetched state would not fit it, so the member
   * does not heal.
   */
  readonly otherLog?: OtherLog;
}

/** Undefined: there is no note. A note that cannot be read counts as one. */
export function readQuarantine(disk: Disk): Quarantine | undefined {
  const bytes = readFile(disk, path, sizeMax);
  if (bytes === undefined) return undefined;
  const text = new TextDecoder().decode(bytes);
  const unreadable: Quarantine = {
    ...{ reason: `${path} cannot be read`, index: 0, sinceMs: 0 },
    ...{ failures: 0, backend: "", evidence: [] },
  };
  try {
    return { ...unreadable, ...(JSON.parse(text) as Partial<Quarantine>) };
  } catch {
    return unreadable;
  }
}

/** Durable when it returns. @throws the disk's errors */
export function writeQuarantine(disk: Disk, quarantine: Quarantine): void {
  replaceFile(disk, path, new TextEncoder().encode(`${JSON.stringify(quarantine)}\n`));
}

/** Durable when it returns. Does nothing if there is no note. @throws the disk's errors */
export function removeQuarantine(disk: Disk): void {
  if (!disk.exists(path)) return;
  disk.remove(path);
  disk.syncDir("");
}
