/**
 * What a recorder of somebody else's left out of keys and events: it fits everything. Histories of
 * Lockstep record all fields, and their reader refuses these values.
 */

/** In the place of a creation revision or a version. */
export const notRecorded = -1;
/** In the place of a lease. */
export const leaseNotRecorded = "?";

export function isSameCount(left: number, right: number): boolean {
  return left === right || left === notRecorded || right === notRecorded;
}

/** Absent and "0" both mean: no lease. */
export function isSameLease(left: string | undefined, right: string | undefined): boolean {
  if (left === leaseNotRecorded || right === leaseNotRecorded) return true;
  return (left ?? "0") === (right ?? "0");
}
