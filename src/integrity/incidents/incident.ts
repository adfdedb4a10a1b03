/**
 * What a member remembers of differences between states, for people: an incident begins when a
 * difference is seen and ends when nobody's state is wrong any more; what happened meanwhile are its
 * steps. The layout of a step as a line of incidents.jsonl stands in docs/integrity.md.
 */

/** A member's id in hex as etcd's clients print it; "0": the cluster, nobody in particular. */
export type MemberName = string;

export type StepKind =
  /** A peer's proof differs from ours. */
  | "detected"
  /** What the inquiry found; told where it was held. */
  | "decided"
  /** The verdict is in the log: that member alone serves no clients. */
  | "contained"
  /** A member has committed entries that the leader's log lacks: it alone answers nothing. */
  | "diverged"
  /** We let go of our own state. */
  | "quarantined"
  /** An attempt to get a right one: began, or failed. */
  | "healing"
  /** A right state is in use here. */
  | "adopted"
  /** The verdict's end is in the log. */
  | "cleared"
  /** Which rows of the state that was given up are wrong. */
  | "rows"
  /** Nobody can tell who is right: the cluster serves no clients. */
  | "undecided"
  /** Nothing is wrong any more, as far as this member knows. */
  | "ended";

export type RowFault =
  /** The right state has it, the wrong one does not. */
  | "missing"
  /** The wrong state has it, the right one does not. */
  | "extra"
  /** Both have it, with different values. */
  | "different"
  /** Its check value fails: it is not what was ever written there. */
  | "damaged";

export interface WrongRow {
  readonly bucket: string;
  /** The row's key in hex. */
  readonly key: string;
  /** Bucket key: the client's key as text, what is not printable as \xNN. Empty: not known. */
  readonly text: string;
  /** Bucket key: the revision of that change; else 0. */
  readonly revision: number;
  readonly fault: RowFault;
}

export interface RowFindings {
  /** Log indexes at which the two states stood; 0: the wrong one does not tell. */
  readonly wrongIndex: number;
  readonly rightIndex: number;
  /** Changes of keys after this revision are not in the comparison. */
  readonly uptoRevision: number;
  readonly compared: number;
  readonly faults: Readonly<Record<RowFault, number>>;
  /** The first of them. */
  readonly rows: readonly WrongRow[];
  /** Why not all rows were compared; empty: they were. */
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
  /** The log index that it is about; 0: none. */
  readonly index: number;
  /** Another log, or another way to apply the same one. */
  readonly difference?: "log" | "apply";
  /** What each member said of that index. */
  readonly evidence?: readonly string[];
  readonly rows?: RowFindings;
}

export interface Incident {
  /** Counted from 1 in this data directory. */
  readonly number: number;
  /** In order of time; at least one. */
  readonly steps: readonly IncidentStep[];
}

export function isEnded(incident: Incident): boolean {
  return incident.steps.some(({ kind }) => kind === "ended");
}
