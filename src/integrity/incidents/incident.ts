/**
 * What a member remembers of differences between states, for people. An incident begins when a
 * member finds a difference, and ends when no member's state is wrong any more. Its steps say what
 * happened in between. docs/integrity.md describes the layout of a step as a line of
 * incidents.jsonl.
 */

/** A member's id in hex, as etcd's clients print it. "0": the cluster, no member in particular. */
export type MemberName = string;

/** What a step of an incident tells. */
export type StepKind =
  /** Another member's fingerprint differs from this member's. */
  | "detected"
  /** The result of the inquiry. The member that made the inquiry tells it. */
  | "decided"
  /** The log holds the verdict: that member alone serves no clients. */
  | "contained"
  /** A member has committed entries that the leader's log lacks. It alone answers nothing. */
  | "diverged"
  /** This member gave up its own state. */
  | "quarantined"
  /** An attempt to fetch a right state began or failed. */
  | "healing"
  /** This member uses a right state. */
  | "adopted"
  /** The log holds the end of the verdict. */
  | "cleared"
  /** The wrong rows of the state that was given up. */
  | "rows"
  /** Nobody can tell which state is right: the cluster serves no clients. */
  | "undecided"
  /** No state is wrong any more, as far as this member knows. */
  | "ended";

/** How a row of the wrong state compares with the right state. */
export type RowFault =
  /** Only the right state has the row. */
  | "missing"
  /** Only the wrong state has the row. */
  | "extra"
  /** Both states have the row, with different values. */
  | "different"
  /** The row's check value fails: these bytes were never written there. */
  | "damaged";

export interface WrongRow {
  readonly bucket: string;
  /** The row's key in hex. */
  readonly key: string;
  /** Bucket `key`: the client's key as text, with unprintable bytes as \xNN. Empty: not known. */
  readonly text: string;
  /** Bucket `key`: the revision of that change. Other buckets: 0. */
  readonly revision: number;
  readonly fault: RowFault;
}

export interface RowFindings {
  /** Log indexes of the two states. 0: the wrong state does not say. */
  readonly wrongIndex: number;
  readonly rightIndex: number;
  /** The comparison leaves out changes of keys after this revision. */
  readonly uptoRevision: number;
  readonly compared: number;
  readonly faults: Readonly<Record<RowFault, number>>;
  /** The first of them. */
  readonly rows: readonly WrongRow[];
  /** Why not all rows were compared. Empty: all were. */
  readonly problem: string;
}

export interface IncidentStep {
  readonly kind: StepKind;
  /** Unix time in milliseconds by this member's clock. */
  readonly atMs: number;
  /** Whom it is about. */
  readonly member: MemberName;
  /** One sentence. */
  readonly text: string;
  /** The log index of this step; 0: none. */
  readonly index: number;
  /** What differs: the log, or the way in which the same log was applied. */
  readonly difference?: "log" | "apply";
  /** What each member answered about that index. */
  readonly evidence?: readonly string[];
  readonly rows?: RowFindings;
}

export interface Incident {
  /** Counted from 1 in this data directory. */
  readonly number: number;
  /** At least one step, in order of time. */
  readonly steps: readonly IncidentStep[];
}

/** True once no state is known to be wrong any more. A comparison of rows may still follow. */
export function isEnded(incident: Incident): boolean {
  return incident.steps.some(({ kind }) => kind === "ended");
}
