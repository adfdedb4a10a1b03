/**
 * A story as a space-time diagram in plain text: time runs down, each actor has a column, the last
 * two columns show the open transaction and the disk whenever they change. At most 100 columns wide.
 */
import type { Story } from "./replay.js";
import type { RunEvent } from "./run.js";
import {
  describeAftermath,
  describeDisk,
  describeLog,
  describeRows,
  lanesOf,
  laneTitles,
} from "./story-text.js";

const widthMax = 100;
const gap = "  ";
const numberWidth = 2;
/** Narrower cells are harder to read than a longer diagram. */
const cellMax = 28;

/** Lines end with "\n". */
export function renderText(story: Story): string {
  const lanes = lanesOf(story);
  const open = story.plan.design === "lockstep" ? "written, not durable" : "open transaction";
  const header = ["#", ...lanes.map((lane) => laneTitles[lane]), open, "disk"];
  const table = [header, ["", ...lanes.map(() => ""), "-", describeDisk(new Map())]];
  let before: RunEvent | undefined;
  for (const [place, event] of story.events.entries()) {
    const cells = lanes.map((lane) => (lane === event.actor ? event.text : ""));
    table.push([String(place + 1), ...cells, ...changes(event, before)]);
    before = event;
  }
  const widths = widthsOf(table);
  const lines = table.flatMap((cells) => renderRow(cells, widths));
  lines.splice(1, 0, widths.map((width) => "-".repeat(width)).join(gap));
  const total = Math.max(...lines.map((line) => line.length));
  lines.push(banner(`${story.events.length + 1}  CRASH: what is not on the disk is gone`, total));
  const after = describeAftermath(story).flatMap((line) => wrap(line, widthMax - 4));
  const log = wrap(`log: ${describeLog(story.plan)}`, widthMax - 2);
  return `${[...log, "", ...lines, ...after.map((line) => `    ${line}`)].join("\n")}\n`;
}

function changes(event: RunEvent, before: RunEvent | undefined): readonly [string, string] {
  const open = describeRows(event.unsaved);
  const disk = describeDisk(event.disk);
  const openBefore = describeRows(before?.unsaved ?? []);
  const diskBefore = describeDisk(before?.disk ?? new Map());
  return [open === openBefore ? "" : open, disk === diskBefore ? "" : disk];
}

/** As wide as the content needs; then the widest column shrinks until all fit. */
function widthsOf(table: readonly (readonly string[])[]): number[] {
  const count = table[0]?.length ?? 0;
  const widths = Array.from({ length: count }, (_, column) =>
    Math.min(cellMax, Math.max(...table.map((row) => row[column]?.length ?? 0))),
  );
  widths[0] = numberWidth;
  const total = (): number => widths.reduce((sum, width) => sum + width + gap.length, -gap.length);
  while (total() > widthMax) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest] = (widths[widest] as number) - 1;
  }
  return widths;
}

function renderRow(cells: readonly string[], widths: readonly number[]): string[] {
  const wrapped = cells.map((cell, column) => wrap(cell, widths[column] as number));
  const height = Math.max(...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    wrapped
      .map((lines, column) => (lines[line] ?? "").padEnd(widths[column] as number))
      .join(gap)
      .trimEnd(),
  );
}

/** Breaks between words; a word that is too long stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function banner(text: string, width: number): string {
  return `${text} `.padEnd(width, "=");
}
