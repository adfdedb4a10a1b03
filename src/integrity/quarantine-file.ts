/**
 * The member's own note, on its disk, that its state is not to be trusted: written before anything is
 * done about it and removed when it is healed, so that a crash at any step leads back into quarantine.
 */
import type { Disk } from "../platform/disk.js";

const path = "quarantine.json";
const draft = "quarantine.json.tmp";
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
}

/** What a DamageError found, without what an operator would have to do: this member heals by itself. */
export function findingOf(message: string): string {
  return message.replace(/\. (Remove this member|Move it away|Restore the file)\b.*$/s, "");
}

/** Undefined: none. A note that cannot be read still counts. */
export function readQuarantine(disk: Disk): Quarantine | undefined {
  if (!disk.exists(path)) return undefined;
  const file = disk.open(path, "existing");
  const text = new TextDecoder().decode(file.read(0, sizeMax));
  file.close();
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
  if (disk.exists(draft)) disk.remove(draft);
  const file = disk.open(draft, "create");
  file.write(0, new TextEncoder().encode(`${JSON.stringify(quarantine)}\n`));
  file.syncNow();
  file.close();
  disk.rename(draft, path);
  disk.syncDir("");
}

export function removeQuarantine(disk: Disk): void {
  if (!disk.exists(path)) return;
  disk.remove(path);
  disk.syncDir("");
}
