/**
 * The physical part of a compaction, one bounded step at a time. Each step is inside the write of a
 * log entry, so every member has removed the same rows at the same index, and a crash in the middle
 * is an ordinary replay. A step looks at rows in revision order and drops those that no reader at
 * or above the compact revision can need.
 */
import { Bucket } from "../../platform/rows.js";
import { keyOf } from "../../wire/key-value.js";
import type { EntryWrite } from "../entry-write.js";
import type { Meta } from "../meta.js";
import type { RowReader } from "../rows.js";
import type { CompactionHashes } from "./compaction-hash.js";
import { type KeyIndex, type KeyText, keyText } from "./key-index.js";
import { decodeRevision, encodeRevision, type RowRevision, revisionStart } from "./revision-key.js";

interface DoomedRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Looks at up to `rowsMax` rows, at least one, and moves the cursor in `meta` behind them. */
export function compactStep(
  w: EntryWrite,
  parts: {
    readonly rows: RowReader;
    readonly index: KeyIndex;
    readonly meta: Meta;
    /** Gets every row that the step looks at. */
    readonly hashes: CompactionHashes;
  },
  rowsMax: number,
): void {
  const { rows, index, meta, hashes } = parts;
  const doomed: DoomedRow[] = [];
  const dropped = new Map<KeyText, number>();
  let looked = 0;
  let next: RowRevision | undefined;
  const range = {
    from: encodeRevision(meta.cursorMain, meta.cursorSub, false),
    to: revisionStart(meta.compactRevision + 1),
  };
  rows.scan(Bucket.key, range, (key, value, check) => {
    const row = decodeRevision(key);
    if (looked > 0 && looked >= rowsMax) {
      next = row;
      return false;
    }
    looked++;
    const text = keyText(keyOf(value));
    const isKept = isNeeded(index, text, row, meta.compactRevision);
    hashes.row(row, { bucket: Bucket.key, key, value, check }, isKept);
    if (isKept) return true;
    doomed.push({ key, value });
    dropped.set(text, (dropped.get(text) ?? 0) + 1);
    return true;
  });
  for (const { key, value } of doomed) w.deleteKnown(Bucket.key, key, value);
  // Rows come in revision order, so the dropped rows of a key are always the oldest of its history.
  for (const [text, count] of dropped) index.dropFirst(text, count);
  meta.cursorMain = next?.main ?? meta.compactRevision + 1;
  meta.cursorSub = next?.sub ?? 0;
  if (next !== undefined) return;
  meta.finishedCompactRevision = meta.compactRevision;
  hashes.finish();
}

/** The newest version at the compact revision stays, unless it is an older tombstone. */
function isNeeded(
  index: KeyIndex,
  text: KeyText,
  row: RowRevision,
  compactRevision: number,
): boolean {
  const history = index.get(text);
  if (history === undefined) return false;
  const place = history.placeAt(compactRevision);
  if (place < 0 || history.main(place) !== row.main || history.sub(place) !== row.sub) return false;
  return !row.isTombstone || row.main === compactRevision;
}

/** True if a compaction at this revision leaves any row up to it. Stops at the first such key. */
export function keepsAny(index: KeyIndex, revision: number): boolean {
  let found = false;
  index.scan({ from: "", to: undefined }, (_key, history) => {
    const place = history.placeAt(revision);
    found = place >= 0 && (history.liveAt(revision) >= 0 || history.main(place) === revision);
    return !found;
  });
  return found;
}
