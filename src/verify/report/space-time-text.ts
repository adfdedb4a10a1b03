/**
 * A trace as a space-time diagram in plain text: one line per event, a column per node and one for
 * clients, at most 110 characters wide with five nodes. A lifeline is `|`, `:` while the node is
 * paused, blank while it is down. Messages are paired by their number.
 */
import { clientsLane, layOutSpaceTime, type SpaceTime, type SpaceTimeInput } from "./space-time.js";
import type { TraceEvent, TraceKind } from "./trace.js";
import { shortText, visibleText, wrapText } from "./xml-text.js";

const timeColumns = 12;
const laneColumns = 16;
/** The label of the last lane fits, too. */
const widthMin = 110;
/** The text says longer quiet times in words. */
const gapUs = 20_000;

const marks: Readonly<Record<TraceKind, string>> = {
  start: "^",
  crash: "X",
  pause: "=",
  resume: "=",
  send: "o",
  receive: "<",
  drop: "x",
  fsync: "s",
  commit: "c",
  apply: "a",
  role: "@",
  fault: "!",
  heal: "+",
  client: "?",
  violation: "#",
  log: ".",
};

const legend =
  "o send  < receive  x lost  s fsync  c commit  a apply  @ role  ? client  X crash  ^ start  = pause, resume";

/** Lines end with "\n". */
export function renderSpaceTimeText(input: SpaceTimeInput): string {
  const layout = layOutSpaceTime(input);
  const columns = Math.max(widthMin, timeColumns + laneColumns * layout.lanes.length);
  const lines = [
    shortText(input.title, columns),
    legend,
    "",
    `${"ms".padStart(timeColumns - 2)}  ${heads(layout)}`,
  ];
  let before: TraceEvent | undefined;
  for (const [row, event] of input.events.entries()) {
    const gap = before === undefined ? undefined : describeGap(event.atUs - before.atUs);
    if (gap !== undefined) lines.push(`${" ".repeat(timeColumns)}${gap}`);
    lines.push(lineOf(layout, { row, event, columns }));
    before = event;
  }
  for (const { kind, text } of input.events) {
    if (kind !== "violation") continue;
    lines.push("", ...wrapText(text, columns - 3).map((line) => `## ${line}`));
  }
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

/** Milliseconds with microseconds. */
export function timeText(atUs: number): string {
  return (atUs / 1000).toFixed(3);
}

/** Undefined: the time is too short to mention. */
export function describeGap(us: number): string | undefined {
  if (us < gapUs) return undefined;
  const text = us < 1e6 ? `${Math.round(us / 1000)} ms` : `${(us / 1e6).toFixed(2)} s`;
  return `... ${text} without an event here ...`;
}

function heads({ lanes }: SpaceTime): string {
  return lanes.map((name) => shortText(name, laneColumns - 2).padEnd(laneColumns)).join("");
}

interface Line {
  readonly row: number;
  readonly event: TraceEvent;
  readonly columns: number;
}

function lineOf(layout: SpaceTime, { row, event, columns }: Line): string {
  const lane = layout.laneOf[row] as number;
  const time = timeText(event.atUs).padStart(timeColumns - 2);
  const lifelines = layout.lanes.map((_, at) => lifeline(layout, at, row)).join("");
  const line = `${time}  ${lifelines}`.padEnd(columns);
  const at = timeColumns + lane * laneColumns;
  const label = labelOf(event, layout.lanes[lane] as string);
  const right = columns - at - 2;
  const isLeft = visibleText(label).length > right && at - timeColumns > right;
  const text = shortText(label, isLeft ? at - timeColumns - 1 : right);
  const from = isLeft ? at - 1 - text.length : at;
  const drawn = isLeft ? `${text} ${marks[event.kind]}` : `${marks[event.kind]} ${text}`;
  return line.slice(0, from) + drawn + line.slice(from + drawn.length);
}

function lifeline({ downs, pauses }: SpaceTime, lane: number, row: number): string {
  const isIn = (span: { lane: number; fromRow: number; toRow: number }): boolean =>
    span.lane === lane && span.fromRow <= row && row < span.toRow;
  const sign = downs.some(isIn) ? " " : pauses.some(isIn) ? ":" : "|";
  return sign.padEnd(laneColumns);
}

function labelOf({ kind, text, peer, message }: TraceEvent, lane: string): string {
  const number = message === undefined ? "" : `#${message} `;
  const to = peer === undefined ? "" : `>${peer} `;
  if (kind === "send") return `${number}${to}${text}`;
  if (kind === "receive") return `${number}${text}`;
  if (kind === "drop") return `${number}lost ${text}`;
  const isWorld = lane === clientsLane && (kind === "fault" || kind === "heal");
  const isNamed = isWorld || kind === "violation" || text === "";
  return isNamed && !text.startsWith(kind) ? `${kind} ${to}${text}` : `${to}${text}`;
}
