/** Sorts many texts with pauses: first pieces, then pairs of neighbours, as a merge sort. */
import type { Work } from "./work.js";

const pieceLength = 512;
/** A comparison costs far less than a row. */
const comparisonsPerUnit = 16;

/** In ascending order; may sort `texts` in place. */
export function* sortInSlices(texts: string[], work: Work): Generator<undefined, string[]> {
  if (texts.length <= pieceLength) return texts.sort(byText);
  let pieces: string[][] = [];
  for (let at = 0; at < texts.length; at += pieceLength) {
    pieces.push(texts.slice(at, at + pieceLength).sort(byText));
    if (work.spend(pieceLength / 4)) yield;
  }
  while (pieces.length > 1) {
    const merged: string[][] = [];
    for (let at = 0; at < pieces.length; at += 2) {
      const [left, right] = [pieces[at] as string[], pieces[at + 1]];
      merged.push(right === undefined ? left : yield* merge(left, right, work));
    }
    pieces = merged;
  }
  return pieces[0] as string[];
}

function* merge(
  left: readonly string[],
  right: readonly string[],
  work: Work,
): Generator<undefined, string[]> {
  const merged: string[] = [];
  let [a, b] = [0, 0];
  while (a < left.length || b < right.length) {
    const isLeft =
      b === right.length || (a < left.length && (left[a] as string) <= (right[b] as string));
    merged.push((isLeft ? left[a++] : right[b++]) as string);
    if (merged.length % comparisonsPerUnit === 0 && work.spend(1)) yield;
  }
  return merged;
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
