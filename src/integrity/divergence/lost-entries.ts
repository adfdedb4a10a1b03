/**
 * Writes the entries that are committed here and that the cluster has lost into a file for people:
 * lost-entries/<first>-<last>-<last term>.jsonl, one entry a line, in order of the log. It writes
 * in slices. The file appears when it is complete, and this program never changes or removes it.
 */
import type { Clock } from "../../platform/clock.js";
import type { Disk, DiskFile } from "../../platform/disk.js";
import type { Entry } from "../../raft/types.js";
import { entryText } from "./entry-text.js";

const folder = "lost-entries";
const draft = `${folder}/next.tmp`;
const sliceBytesMax = 256 * 1024;

export interface LostEntries {
  /** Below the data directory. */
  readonly file: string;
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

export interface LostEntriesParts {
  readonly clock: Clock;
  readonly disk: Disk;
  /**
   * Entries in [low, high), at least one, at most `bytesMax` bytes. Undefined: the log no longer
   * holds them.
   */
  entries(low: number, high: number, bytesMax: number): readonly Entry[] | undefined;
  isStopped(): boolean;
}

/**
 * Calls `done` once, with the disk's error if the entries cannot be written. Never calls it when
 * the member stops.
 */
export function keepLostEntries(
  parts: LostEntriesParts,
  range: { readonly first: number; readonly last: number; readonly lastTerm: number },
  done: (result: LostEntries | Error) => void,
): void {
  const { clock, disk } = parts;
  const { first, last, lastTerm } = range;
  const file = `${folder}/${first}-${last}-${lastTerm}.jsonl`;
  const kept: LostEntries = { file, first, last, count: last - first + 1 };
  let draftFile: DiskFile | undefined;
  const attempt = (step: () => void): void => {
    if (parts.isStopped()) {
      draftFile?.close();
      return;
    }
    try {
      step();
    } catch (error) {
      draftFile?.close();
      done(error as Error);
    }
  };
  const slice = (from: number): void => {
    if (from > last) {
      finish();
      return;
    }
    const entries = parts.entries(from, last + 1, sliceBytesMax);
    if (entries === undefined || entries.length === 0) {
      throw new Error(`entry ${from} is no longer in the log`);
    }
    const lines = new TextEncoder().encode(entries.map(lineOf).join(""));
    draftFile?.write(draftFile.size(), lines);
    clock.defer(() => attempt(() => slice(from + entries.length)));
  };
  const finish = (): void => {
    draftFile?.sync((error) =>
      attempt(() => {
        if (error !== undefined) throw error;
        draftFile?.close();
        disk.rename(draft, file);
        disk.syncDir(folder);
        done(kept);
      }),
    );
  };
  attempt(() => {
    // An earlier run has written the same entries.
    if (disk.exists(file)) {
      done(kept);
      return;
    }
    disk.makeDir(folder);
    disk.syncDir("");
    if (disk.exists(draft)) disk.remove(draft);
    draftFile = disk.open(draft, "create");
    slice(first);
  });
}

function lineOf(entry: Entry): string {
  const { index, term, type, data } = entry;
  const base64 = Buffer.from(data.buffer, data.byteOffset, data.length).toString("base64");
  return `${JSON.stringify({ index, term, type, what: entryText(entry), data: base64 })}\n`;
}
