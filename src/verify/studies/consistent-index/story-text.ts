/**
 * The words of a story: what the broken image says, what the restart does with it and how the
 * member then differs from the others. The text and the SVG diagram print the same words.
 */

import type { LawBreach } from "./law.js";
import {
  describeEntry,
  localPrefix,
  numberIn,
  type Rows,
  revisionRow,
  type StudyRow,
} from "./log-entry.js";
import type { Choice, StudyPlan } from "./plan.js";
import type { Story } from "./replay.js";

/** The titles of the columns of a story. */
export const laneTitles: Readonly<Record<Choice, string>> = {
  apply: "apply loop",
  ticker: "commit ticker",
  worker: "compaction worker",
  backup: "backup of a client",
  defrag: "defragmentation",
  crash: "crash",
};

/** The actors of a story, the apply loop first. */
export function lanesOf(story: Story): readonly Choice[] {
  const seen = new Set<Choice>(story.events.map((event) => event.actor));
  seen.delete("crash");
  return [...seen].sort((a, b) => Number(b === "apply") - Number(a === "apply"));
}

/** The replicated rows as "name=value, ..."; "-" if there are none. */
export function describeRows(rows: Iterable<StudyRow>): string {
  const shown = [...rows].filter(([name]) => !name.startsWith(localPrefix));
  return shown.length === 0 ? "-" : shown.map(([name, value]) => `${name}=${value}`).join(", ");
}

/** The log as "1 put a; 2 put b". */
export function describeLog(plan: StudyPlan): string {
  return plan.log.map((entry, place) => `${place + 1} ${describeEntry(entry)}`).join("; ");
}

/** What happens after the crash, one sentence each. */
export function describeAftermath(story: Story): readonly string[] {
  const { finding } = story;
  const lines = [whatTheDiskSays(finding), ...whatReplayDoes(story.plan, finding)];
  for (const { row, here, elsewhere } of finding.differences) {
    lines.push(
      `${row}: ${here ?? "absent"} on this member, ${elsewhere ?? "absent"} on the others.`,
    );
  }
  const revision = finding.differences.find(({ row }) => row === revisionRow);
  if (revision !== undefined) {
    const next = [Number(revision.here ?? 0) + 1, Number(revision.elsewhere ?? 0) + 1];
    lines.push(
      `The next put gets revision ${next[0]} here and ${next[1]} elsewhere: a transaction that compares ` +
        "revisions now decides differently here, and the damage spreads.",
    );
  }
  return lines;
}

function whatTheDiskSays({ index, contentIndex, kind }: LawBreach): string {
  const says = `The disk says index ${index}`;
  if (kind === "index below the log") return `${says}.`;
  if (contentIndex === undefined) return `${says}, but its rows are those of no index at all.`;
  return `${says}, but its rows are those of index ${contentIndex}.`;
}

function whatReplayDoes(plan: StudyPlan, finding: LawBreach): readonly string[] {
  const { index, contentIndex, kind } = finding;
  const name = (at: number): string => {
    const entry = plan.log[at - 1];
    return entry === undefined ? `entry ${at}` : `entry ${at} (${describeEntry(entry)})`;
  };
  if (kind === "index below the log") {
    return [
      `The log up to ${name(plan.log.length)} is cut: what lies between is nowhere, the member cannot start.`,
    ];
  }
  const from = `The restart replays the log from entry ${index + 1}`;
  if (kind === "index too large" && contentIndex !== undefined) {
    return [
      `${from}: ${name(contentIndex + 1)} is skipped. The others have it, and its client has its ` +
        "answer or gets it from them.",
      "The crash need not come now: any moment before the next commit will do.",
    ];
  }
  if (kind === "index too small") return [`${from}: ${name(index + 1)} is applied a second time.`];
  if (finding.isHarmful) return [`${from}: the missing part of ${name(index)} never comes.`];
  return [`${from}: ${name(index + 1)} writes its rows again, and all is well.`];
}

/** "index 2, rows: a=rev1, revision=1". */
export function describeDisk(disk: Rows): string {
  const rows = [...disk].filter(([name]) => name !== "index");
  return `index=${numberIn(disk, "index")}; ${describeRows(rows)}`;
}
