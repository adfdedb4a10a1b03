/**
 * The keys that one user may read, or write: the ranges of all permissions of all roles, merged
 * into disjoint ranges in ascending order. So a range that several permissions cover together lies
 * in one of them, and a lookup costs one binary search.
 *
 * etcd asks an interval tree instead. The answers are equal, except for an empty range (end before
 * start), for which etcd's answer depends on the shape of its tree. Here an empty range counts as
 * its start.
 */
import { compareBytes } from "../../base/bytes.js";

/** From `start` up to but not including `end`; `end` undefined: without an upper bound. */
export interface GrantedRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
}

/** etcd's way to write a range: no end is the key alone, one zero byte is no upper bound. */
export function grantedRange(key: Uint8Array, rangeEnd: Uint8Array): GrantedRange {
  if (rangeEnd.length === 0) return { start: key, end: afterKey(key) };
  return { start: key, end: isUnbounded(rangeEnd) ? undefined : rangeEnd };
}

export function isUnbounded(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

export class KeyRanges {
  /** The ranges in ascending order: disjoint, with a gap between neighbours. */
  readonly #ranges: readonly GrantedRange[];
  /** The same as Latin-1 texts, which compare as the bytes do. */
  readonly #texts: readonly { readonly start: string; readonly end: string | undefined }[];

  constructor(ranges: readonly GrantedRange[]) {
    this.#ranges = merged(ranges);
    this.#texts = this.#ranges.map(({ start, end }) => {
      return { start: latin1(start), end: end && latin1(end) };
    });
  }

  /**
   * The range that holds this key, a Latin-1 text: all keys from it up to `end` are in this set
   * (`end` undefined: all behind it, too). Undefined: none does. Makes no object.
   */
  rangeAround(key: string): { readonly end: string | undefined } | undefined {
    const texts = this.#texts;
    let low = 0;
    let high = texts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((texts[middle] as { start: string }).start <= key) low = middle + 1;
      else high = middle;
    }
    const range = texts[low - 1];
    return range !== undefined && (range.end === undefined || key < range.end) ? range : undefined;
  }

  /** True if every key of the request's range is in this set. */
  holds(key: Uint8Array, rangeEnd: Uint8Array): boolean {
    const range = this.#lastFrom(key);
    if (range === undefined || !isBefore(key, range.end)) return false;
    if (rangeEnd.length === 0 || range.end === undefined) return true;
    return !isUnbounded(rangeEnd) && compareBytes(rangeEnd, range.end) <= 0;
  }

  /** The last range that starts at or before the key. */
  #lastFrom(key: Uint8Array): GrantedRange | undefined {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((this.#ranges[middle] as GrantedRange).start, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return this.#ranges[low - 1];
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function merged(ranges: readonly GrantedRange[]): readonly GrantedRange[] {
  const sorted = [...ranges].sort((a, b) => compareBytes(a.start, b.start));
  const result: GrantedRange[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last === undefined || !reaches(last.end, range.start)) result.push(range);
    else if (!reaches(last.end, range.end)) {
      result[result.length - 1] = { start: last.start, end: range.end };
    }
  }
  return result;
}

/** True if a range with this end has no gap up to `place`. */
function reaches(end: Uint8Array | undefined, place: Uint8Array | undefined): boolean {
  if (end === undefined) return true;
  return place !== undefined && compareBytes(end, place) >= 0;
}

function isBefore(key: Uint8Array, end: Uint8Array | undefined): boolean {
  return end === undefined || compareBytes(key, end) < 0;
}

/** The smallest key above `key`. */
function afterKey(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.length + 1);
  after.set(key);
  return after;
}
