/**
 * Assigns entries to acknowledged operations where the answer does not name the entry. Several
 * entries may be equal between two revisions (a lease that ends by itself, is granted again and
 * revoked by a client). The code goes through the entries in their order and gives each to the
 * operation that returned first among those that may have it. An entry may belong to no operation.
 */
import type { Operation } from "../../history/types.js";

export interface SilentClaim {
  readonly operation: Operation;
  /** Positions of the entries that it may have made, ascending. */
  readonly candidates: readonly number[];
}

/**
 * @param floorOf an operation's entry comes after this position: an operation that returned before
 *   its call had seen that much
 * @returns operation id -> position; operations without an entry are not in it
 */
export function matchSilent(
  claims: readonly SilentClaim[],
  floorOf: (operation: Operation) => number,
): ReadonlyMap<number, number> {
  const matched = new Map<number, number>();
  const byPosition = new Map<number, SilentClaim[]>();
  for (const claim of claims) {
    for (const position of claim.candidates) {
      const same = byPosition.get(position);
      if (same === undefined) byPosition.set(position, [claim]);
      else same.push(claim);
    }
  }
  const byReturn = claims.toSorted((a, b) => endOf(a.operation) - endOf(b.operation));
  const floors = new Map(claims.map(({ operation }) => [operation.id, floorOf(operation)]));
  let waiting = 0;
  for (const position of [...byPosition.keys()].sort((a, b) => a - b)) {
    while (isOver(byReturn[waiting], { matched, position })) waiting++;
    const firstEndUs = waiting < byReturn.length ? endOf(byReturn[waiting]?.operation) : 0;
    const able = (byPosition.get(position) ?? []).filter(({ operation }) => {
      const isFree = !matched.has(operation.id) && (floors.get(operation.id) ?? 0) < position;
      // Every operation that returned before its call comes before it.
      return isFree && operation.callUs <= firstEndUs;
    });
    const first = able.sort((a, b) => endOf(a.operation) - endOf(b.operation))[0];
    if (first !== undefined) matched.set(first.operation.id, position);
  }
  return matched;
}

/** The operation has its entry, or can no longer get one. */
function isOver(
  claim: SilentClaim | undefined,
  now: { readonly matched: ReadonlyMap<number, number>; readonly position: number },
): boolean {
  if (claim === undefined) return false;
  if (now.matched.has(claim.operation.id)) return true;
  return (claim.candidates.at(-1) ?? 0) < now.position;
}

function endOf(operation: Operation | undefined): number {
  return operation?.returnUs ?? Number.POSITIVE_INFINITY;
}

/** For each operation, the largest `positionOf` of all operations that had returned at its call. */
export function floorsByTime(
  operations: readonly Operation[],
  positionOf: (operation: Operation) => number | undefined,
): (operation: Operation) => number {
  const returned: { readonly atUs: number; readonly floor: number }[] = [];
  const ended = operations.filter(({ returnUs }) => returnUs !== undefined);
  let floor = 0;
  for (const operation of ended.sort((a, b) => endOf(a) - endOf(b))) {
    const position = positionOf(operation);
    if (position === undefined || position <= floor) continue;
    floor = position;
    returned.push({ atUs: endOf(operation), floor });
  }
  return ({ callUs }) => {
    let low = 0;
    let high = returned.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((returned[middle]?.atUs ?? 0) < callUs) low = middle + 1;
      else high = middle;
    }
    return returned[low - 1]?.floor ?? 0;
  };
}
