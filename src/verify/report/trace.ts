/**
 * The events of a simulated cluster, which reports are made of. Recorded only when a person wants a
 * report. The list is in the order in which the events happened.
 */
export type TraceKind =
  | "start"
  | "crash"
  | "pause"
  | "resume"
  | "send"
  | "receive"
  | "drop"
  /** Bytes of the write-ahead log or of the backend became durable. */
  | "fsync"
  | "commit"
  | "apply"
  | "role"
  | "fault"
  | "heal"
  | "client"
  | "violation"
  | "log";

export interface TraceEvent {
  /** The event's place in the list, from 0. */
  readonly id: number;
  /** The id of the event that led to it; undefined: no recorded event did. */
  readonly cause: number | undefined;
  readonly atUs: number;
  /** Undefined: the world, or a client. */
  readonly node: string | undefined;
  readonly kind: TraceKind;
  readonly text: string;
  /** The other end of a message. */
  readonly peer?: string;
  readonly term?: number;
  readonly index?: number;
  /** The number that pairs a send with its arrivals or its loss. */
  readonly message?: number;
}

/** One line of the table of members at the end of a run. */
export interface MemberRow {
  readonly name: string;
  readonly state: string;
  readonly role: string;
  readonly term: number;
  readonly vote: string;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly revision: number;
  /** The first characters of the root digest. */
  readonly digest: string;
}
