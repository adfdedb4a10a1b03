/**
 * Finds out which member is wrong. A conflict is between two members, and alone does not tell which
 * of them is wrong. A member is wrong if a strict majority of the cluster, without conflicts among
 * themselves, contradicts it.
 */

/** Two endpoints that cannot both be right. */
export interface Conflict {
  readonly one: string;
  readonly other: string;
}

function contradicts(conflicts: readonly Conflict[], a: string, b: string): boolean {
  return conflicts.some(
    ({ one, other }) => (one === a && other === b) || (one === b && other === a),
  );
}

/** The endpoints that have a conflict, in the order of `endpoints`. */
export function involved(
  conflicts: readonly Conflict[],
  endpoints: readonly string[],
): readonly string[] {
  return endpoints.filter((endpoint) =>
    conflicts.some(({ one, other }) => one === endpoint || other === endpoint),
  );
}

/** The members of one comparison. */
interface ComparedMembers {
  readonly endpoints: readonly string[];
  /** The endpoints of voters: they count for a majority. */
  readonly voters: readonly string[];
  /** How many voters the cluster has, those included that did not answer. */
  readonly clusterSize: number;
}

/**
 * The members of the minority that a majority of the cluster contradicts; empty if there is none.
 */
export function suspectsOf(
  conflicts: readonly Conflict[],
  compared: ComparedMembers,
): readonly string[] {
  return compared.endpoints.filter((endpoint) => {
    const contradicting = compared.voters.filter((each) => contradicts(conflicts, endpoint, each));
    const agreeing = contradicting.filter(
      (each) => !contradicting.some((other) => contradicts(conflicts, each, other)),
    );
    return agreeing.length > compared.clusterSize / 2;
  });
}

/** The conflicts between groups of members that gave different answers. */
export function conflictsBetween(groups: readonly (readonly string[])[]): readonly Conflict[] {
  return groups.flatMap((group, at) =>
    groups
      .slice(at + 1)
      .flatMap((rest) => group.flatMap((one) => rest.map((other) => ({ one, other })))),
  );
}

/** The conflicts that occur in at least two of `rounds`, as the last such round reports them. */
export function confirmed<T extends Conflict>(rounds: readonly (readonly T[])[]): readonly T[] {
  const last = new Map<string, T>();
  const twice = new Set<string>();
  for (const conflicts of rounds) {
    for (const conflict of conflicts) {
      const name = [conflict.one, conflict.other].sort().join(" ");
      if (last.has(name)) twice.add(name);
      last.set(name, conflict);
    }
  }
  return [...last].flatMap(([name, conflict]) => (twice.has(name) ? [conflict] : []));
}
