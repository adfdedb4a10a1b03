/**
 * A failure as a page of text: what was violated, how to reproduce it, and the events that led to
 * it.
 */
import type { MemberRow, TraceEvent } from "./trace.js";

export interface FailedRun {
  readonly invariant: string;
  readonly text: string;
  readonly atMs: number;
  readonly seed: number;
  /** Shell commands that reproduce the failure. */
  readonly again: readonly string[];
  /** The shrunk plan in words: its world, faults and requests, one line each. */
  readonly plan: readonly string[];
  readonly sizeBefore: number;
  readonly sizeAfter: number;
  readonly members: readonly MemberRow[];
  /** The causal past of the violation, oldest first. */
  readonly past: readonly TraceEvent[];
}

/** The page as text, for a terminal. */
export function renderReport(failure: FailedRun): string {
  const { invariant, text, atMs, seed, sizeBefore, sizeAfter } = failure;
  return [
    `${invariant}: ${text}`,
    "",
    `Seed ${seed}, at ${atMs.toFixed(3)} ms of virtual time.`,
    `The plan has ${sizeAfter} events after shrinking (${sizeBefore} before).`,
    "",
    "See it again:",
    ...failure.again.map((command) => `  ${command}`),
    "",
    "Plan:",
    ...failure.plan.map((line) => `  ${line}`),
    "",
    "Members at that moment:",
    ...memberTable(failure.members).map((line) => `  ${line}`),
    "",
    `What led to it (the last ${failure.past.length} events of its causal past):`,
    ...failure.past.map((event) => `  ${eventLine(event)}`),
    "",
  ].join("\n");
}

const columns = [
  "name",
  "state",
  "role",
  "term",
  "vote",
  "commit",
  "applied",
  "lastIndex",
  "revision",
  "digest",
] as const;

function memberTable(members: readonly MemberRow[]): string[] {
  const rows = [
    columns.map(String),
    ...members.map((row) => columns.map((name) => `${row[name]}`)),
  ];
  const widths = columns.map((_, at) => Math.max(...rows.map((row) => (row[at] as string).length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] as number))
      .join("  ")
      .trimEnd(),
  );
}

function eventLine({ atUs, node, kind, text, peer }: TraceEvent): string {
  const time = (atUs / 1000).toFixed(3).padStart(10);
  const other = peer === undefined ? "" : ` to ${peer}`;
  return `${time} ${(node ?? "").padEnd(4)} ${kind.padEnd(8)} ${text}${other}`;
}
