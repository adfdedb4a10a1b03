/**
 * What an auditor saw of a cluster in one round: the members' own answers, in the order in which
 * they came. Data only. The collector must not drop a sample. A pass holds the samples of one
 * member in sequence: the collector asked for each when the one before had come.
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
  /** The revision that HashKV hashed. */
  readonly revision: number;
  readonly compactRevision: number;
}
/** `compacted` and `future`: the member no longer has the revision, or does not have it yet. */
export interface HashRefusal {
  readonly refused: "compacted" | "future" | "denied" | "unsupported" | "failed";
  readonly text: string;
}

/** HashKV of one revision, from every voting member that answered. By endpoint. */
export interface HashAsk {
  readonly revision: number;
  readonly outcomes: ReadonlyMap<string, HashAnswer | HashRefusal>;
}

export interface MemberEvidence {
  readonly endpoint: string;
  /** From the member list, if the auditor could get it. */
  readonly name: string | undefined;
  /**
   * Number of the pass, the same for every member: pass N of all members was taken at the same
   * time.
   */
  readonly passes: readonly (readonly StatusSample[])[];
  /** The reason why there is no sample, or why the samples ended. */
  readonly failure: string | undefined;
  /**
   * The reason why it did not answer a linearizable read, which would have brought it up to date.
   */
  readonly readFailure: string | undefined;
}

export interface RoundEvidence {
  readonly members: readonly MemberEvidence[];
  readonly asks: readonly HashAsk[];
  /** How many voting members the cluster has, if the auditor could find out. */
  readonly clusterSize: number | undefined;
  /** Members of the cluster that no endpoint reaches. */
  readonly unasked: readonly string[];
}

export function lastSample({ passes }: MemberEvidence): StatusSample | undefined {
  return passes.flat().at(-1);
}
