/**
 * One ordered scan over stored rows with newer, unsaved layers above them. Pure. A row of a newer
 * layer hides the same key below it. A deletion hides the key and is not shown.
 */

import {
  keyText,
  type RowCursor,
  type RowLayer,
  type RowVisit,
  type ScanRange,
} from "./row-layer.js";
import type { Bucket, RowWrite } from "./rows.js";

/** Scans the stored rows: calls `visit` in the order of the range until it returns false. */
export type StoredScan = (bucket: Bucket, range: ScanRange, visit: RowVisit) => void;

/** `overlays`: newest first. */
export interface Layers {
  readonly overlays: readonly RowLayer[];
  readonly stored: StoredScan;
}

export function scanLayers(
  layers: Layers,
  bucket: Bucket,
  scan: { readonly range: ScanRange; readonly visit: RowVisit },
): void {
  const { range, visit } = scan;
  if (range.to !== undefined && keyText(range.from) >= keyText(range.to)) return;
  const merge = new OverlayMerge(
    layers.overlays.map((overlay) => overlay.cursor(bucket, range)),
    range.reverse === true,
  );
  if (merge.text === undefined) {
    layers.stored(bucket, range, visit);
    return;
  }
  let isWanted = true;
  layers.stored(bucket, range, (key, value) => {
    if (merge.text !== undefined) {
      const text = keyText(key);
      while (isWanted && merge.isBefore(text)) isWanted = show(merge.take(), visit);
      if (!isWanted) return false;
      if (merge.text === text) {
        isWanted = show(merge.take(), visit);
        return isWanted;
      }
    }
    isWanted = visit(key, value);
    return isWanted;
  });
  while (isWanted && merge.text !== undefined) isWanted = show(merge.take(), visit);
}

function show(row: RowWrite, visit: RowVisit): boolean {
  return row.value === undefined || visit(row.key, row.value);
}

/** Walks the cursors of all overlays as one. It gives the newest write of each key. */
class OverlayMerge {
  readonly #cursors: readonly RowCursor[];
  readonly #isReverse: boolean;
  /** Key of the next row; undefined at the end. */
  text: string | undefined;

  constructor(cursors: readonly RowCursor[], isReverse: boolean) {
    this.#cursors = cursors;
    this.#isReverse = isReverse;
    this.#choose();
  }

  /** True if the next row comes before this key in the scan's direction. */
  isBefore(text: string): boolean {
    return this.text !== undefined && this.#precedes(this.text, text);
  }

  take(): RowWrite {
    let newest: RowWrite | undefined;
    for (const cursor of this.#cursors) {
      if (cursor.text !== this.text) continue;
      newest ??= cursor.row;
      cursor.advance();
    }
    this.#choose();
    return newest as RowWrite;
  }

  #choose(): void {
    this.text = undefined;
    for (const { text } of this.#cursors) {
      if (text === undefined) continue;
      if (this.text === undefined || this.#precedes(text, this.text)) this.text = text;
    }
  }

  #precedes(a: string, b: string): boolean {
    return this.#isReverse ? a > b : a < b;
  }
}
