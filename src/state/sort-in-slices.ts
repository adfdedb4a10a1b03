/** Sorts many items with pauses: first pieces, then pairs of neighbours, as a merge sort. */
import type { Work } from "./work.js";

const pieceLength = 512;
/** How many comparisons count as much as one row. */
const comparisonsPerUnit = 16;

type Compare<T> = (a: T, b: T) => number;

/** Sorts texts in ascending order. May sort `texts` in place. */
export function sortInSlices(texts: string[], work: Work): Generator<undefined, string[]> {
  return mergeSort(texts, byText, work);
}

/** Sorts by `compare`; equal items keep their order. May sort `items` in place. */
export function* mergeSort<T>(
  items: T[],
  compare: Compare<T>,
  work: Work,
): Generator<undefined, T[]> {
  if (items.length <= pieceLength) return items.sort(compare);
  let pieces: T[][] = [];
  for (let at = 0; at < items.length; at += pieceLength) {
    pieces.push(items.slice(at, at + pieceLength).sort(compare));
    if (work.spend(pieceLength / 4)) yield;
  }
  while (pieces.length > 1) {
    const merged: T[][] = [];
    for (let at = 0; at < pieces.length; at += 2) {
      const [left, right] = [pieces[at] as T[], pieces[at + 1]];
      merged.push(right === undefined ? left : yield* merge([left, right], compare, work));
    }
    pieces = merged;
  }
  return pieces[0] as T[];
}

function* merge<T>(
  [left, right]: readonly [readonly T[], readonly T[]],
  compare: Compare<T>,
  work: Work,
): Generator<undefined, T[]> {
  const merged: T[] = [];
  let [a, b] = [0, 0];
  while (a < left.length || b < right.length) {
    const isLeft =
      b === right.length || (a < left.length && compare(left[a] as T, right[b] as T) <= 0);
    merged.push((isLeft ? left[a++] : right[b++]) as T);
    if (merged.length % comparisonsPerUnit === 0 && work.spend(1)) yield;
  }
  return merged;
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
