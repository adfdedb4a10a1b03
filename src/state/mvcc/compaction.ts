/**
 * The physical part of a compaction, one bounded step at a time, each inside the write of a log
 * entry: so every member has removed the same rows at the same index, and a crash in the middle is
 * an ordinary replay. A step looks at rows in revision order and drops what no reader at or above
 * the compact revision can need.
 */
import { Bucket } from "../../platform/backend.js";
import { decodeKeyValue } from "../../wire/key-value.js";
import type { EntryWrite } from "../entry-write.js";
import type { Meta } from "../meta.js";
import type { RowReader } from "../rows.js";
import { type KeyIndex, keyText } from "./key-index.js";
import { decodeRevision, type RowRevision, revisionStart } from "./revision-key.js";

interface Doomed {
  readonly rowKey: Uint8Array;
  readonly text: string;
  readonly row: RowRevision;
}

/** Looks at about `rowsMax` rows, whole revisions, and moves the cursor; updates `meta`. */
export function compactStep(
  w: EntryWrite,
  parts: { readonly rows: RowReader; readonly index: KeyIndex; readonly meta: Meta },
  rowsMax: number,
): void {
  const { rows, index, meta } = parts;
  const doomed: Doomed[] = [];
  let looked = 0;
  let last = meta.compactCursor - 1;
  let isOver = true;
  const range = {
    from: revisionStart(meta.compactCursor),
    to: revisionStart(meta.compactRevision + 1),
  };
  rows.scan(Bucket.key, range, (rowKey, value) => {
    const row = decodeRevision(rowKey);
    if (looked >= rowsMax && row.main !== last) {
      isOver = false;
      return false;
    }
    looked++;
    last = row.main;
    const text = keyText(decodeKeyValue(value).key);
    if (!isNeeded(index, text, row, meta.compactRevision)) doomed.push({ rowKey, text, row });
    return true;
  });
  for (const { rowKey, text, row } of doomed) {
    w.delete(Bucket.key, rowKey);
    index.forget(text, row.main, row.sub);
  }
  meta.compactCursor = last + 1;
  if (isOver) meta.finishedCompactRevision = meta.compactRevision;
}

/** The newest version at the compact revision stays, unless it is an older tombstone. */
function isNeeded(
  index: KeyIndex,
  text: string,
  row: RowRevision,
  compactRevision: number,
): boolean {
  const history = index.get(text);
  if (history === undefined) return false;
  const place = history.placeAt(compactRevision);
  const isNewest = history.mains[place] === row.main && history.sub(place) === row.sub;
  return isNewest && (!row.isTombstone || row.main === compactRevision);
}
