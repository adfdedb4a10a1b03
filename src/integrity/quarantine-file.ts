/**
 * The member's own note, on its disk, that its state is not to be trusted: written before anything is
 * done about it and removed when it is healed, so that a crash at any step leads back into quarantine.
 */
import type { Disk } from "../platform/disk.js";
import { readFile, replaceFile } from "../storage/atomic-file.js";
import type { OtherLog } from "./divergence/other-log.js";

const path = "quarantine.json";
const sizeMax = 64 * 1024;

export interface Quarantine {
  /** One sentence: what was found. */
  readonly reason: string;
  /** The log index where the difference was seen, or up to which the damaged state stood. */
  readonly index: number;
  /** Unix time in milliseconds. */
  readonly sinceMs: number;
  /** Heals that did not end well. */
  readonly failures: number;
  /** The backend that was found wrong; it is kept aside. */
  readonly backend: string;
  /** What each member said, as text, for people. */
  readonly evidence: readonly string[];
  /** Our log belongs to another history: a fetched state would not fit it, so we do not heal. */
  readonly otherLog?: OtherLog;
}

/** Undefined: none. A note that cannot be read still counts. */
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

export function removeQuarantine(disk: Disk): void {
  if (!disk.exists(path)) return;
  disk.remove(path);
  disk.syncDir("");
}
