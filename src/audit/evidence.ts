/**
 * What an auditor saw of a cluster in one round: the members' own answers, in the order in which
 * they came. The types here are data only.
 *
 * The collector must not drop a sample. A pass holds the samples of one member in sequence: the
 * collector asked for each when the one before had come.
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
  /** The field errors of the answer, like "memberID:1 alarm:CORRUPT ". */
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

/** The answers to HashKV of one revision, by endpoint, from every voting member that answered. */
export interface HashAsk {
  readonly revision: number;
  readonly outcomes: ReadonlyMap<string, HashAnswer | HashRefusal>;
}

export interface MemberEvidence {
  readonly endpoint: string;
  /** The member's name. Undefined: the auditor could not get the member list. */
  readonly name: string | undefined;
  /** The samples, by pass. Pass N of all members was taken at the same time. */
  readonly passes: readonly (readonly StatusSample[])[];
  /** The reason why there is no sample, or why the samples ended. */
  readonly failure: string | undefined;
  /**
   * The reason why the member did not answer a linearizable read, which would have brought it up to
   * date.
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
