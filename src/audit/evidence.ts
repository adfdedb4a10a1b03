/**
 * What an auditor saw of a cluster in one round: the members' own words, in the order in which they
 * came. Data only; who collects it must not drop a sample, and one pass holds samples of one member
 * taken one after the other, each asked for when the one before had come.
 */

/** One answer of Maintenance/Status. The server reads revision and index at two moments. */
export interface StatusSample {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly version: string;
  readonly revision: number;
  readonly appliedIndex: number;
  readonly isLeader: boolean;
  readonly isLearner: boolean;
  /** "memberID:1 alarm:CORRUPT " and the like. */
  readonly errors: readonly string[];
}

export interface HashAnswer {
  readonly hash: number;
  /** The revision that was hashed. */
  readonly revision: number;
  readonly compactRevision: number;
}
/** `compacted` and `future`: the member does not keep, or not yet have, the revision. */
export interface HashRefusal {
  readonly refused: "compacted" | "future" | "denied" | "unsupported" | "failed";
  readonly text: string;
}

/** HashKV of one revision, asked of every voting member that was heard. By endpoint. */
export interface HashAsk {
  readonly revision: number;
  readonly outcomes: ReadonlyMap<string, HashAnswer | HashRefusal>;
}

export interface MemberEvidence {
  readonly endpoint: string;
  /** Of the member list, when it could be had. */
  readonly name: string | undefined;
  /** The same number for every member; pass N of all members was taken at the same time. */
  readonly passes: readonly (readonly StatusSample[])[];
  /** Why there is no sample, or why they ended. */
  readonly failure: string | undefined;
  /** Why it did not answer a linearizable read, which would have brought it up to date. */
  readonly readFailure: string | undefined;
}

export interface RoundEvidence {
  readonly members: readonly MemberEvidence[];
  readonly asks: readonly HashAsk[];
  /** How many voting members the cluster has, when that could be had. */
  readonly clusterSize: number | undefined;
  /** Members of the cluster that no endpoint leads to. */
  readonly unasked: readonly string[];
}

export function lastSample({ passes }: MemberEvidence): StatusSample | undefined {
  return passes.flat().at(-1);
}
