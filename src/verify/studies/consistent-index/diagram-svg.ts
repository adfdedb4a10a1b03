/**
 * A story as a space-time diagram in SVG: time runs down; a lane for each actor, one for the open
 * transaction and one for the disk. Self-contained: no script, no font file, no link. A reader can
 * select the text, and a screen reader finds it (title and desc).
 */

import { wrap } from "./diagram-text.js";
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

const laneWidth = 220;
const rowHeight = 46;
const marginX = 50;
const headTop = 84;
const lineHeight = 18;
/** How many characters fit into a box of a lane at the font size below. */
const boxColumns = 30;
const wideColumns = 110;

const style = `text { font: 13px sans-serif; fill: #1c2430; }
.title { font-size: 18px; font-weight: bold; } .head { font-weight: bold; text-anchor: middle; }
.cell { font: 12px monospace; text-anchor: middle; } .number { text-anchor: end; fill: #66707f; }
.lane { stroke: #b8c0cc; stroke-width: 1.5; } .step { fill: #e8f0fb; stroke: #3b6fb6; }
.held { stroke: #3b6fb6; stroke-width: 7; opacity: 0.45; } .commit { fill: #fdf0d5; stroke: #b7791f; }
.open { fill: #f4f5f7; stroke: #8a93a1; } .disk { fill: #e6f4ea; stroke: #2f855a; }
.broken { fill: #fde2e2; stroke: #c53030; stroke-width: 2.5; }
.flow { stroke: #b7791f; stroke-width: 1.5; marker-end: url(#arrow); }
.crash { stroke: #c53030; stroke-width: 3; stroke-dasharray: 9 5; } .crashed { fill: #c53030; font-weight: bold; }`;

/** The whole file. */
export function renderSvg(story: Story): string {
  return new SvgDiagram(story).render();
}

class SvgDiagram {
  readonly #story: Story;
  readonly #lanes: readonly string[];
  readonly #parts: string[] = [];

  constructor(story: Story) {
    this.#story = story;
    this.#lanes = lanesOf(story);
  }

  render(): string {
    const { events, plan } = this.#story;
    const bottom = this.#y(events.length) + 6;
    const after = describeAftermath(this.#story).flatMap((line) => wrap(line, wideColumns));
    const width = marginX + laneWidth * (this.#lanes.length + 2) + 20;
    const height = bottom + 40 + after.length * lineHeight + 16;
    const title = `${plan.design}: ${this.#story.finding.kind}`;
    this.#text(marginX - 30, 28, title, "title");
    this.#text(marginX - 30, 50, `log: ${describeLog(plan)}`, "");
    this.#drawLanes(bottom);
    let before: RunEvent | undefined;
    for (const [place, event] of events.entries()) {
      this.#drawEvent(place, event, before);
      before = event;
    }
    this.#line([marginX - 30, bottom, width - 20, bottom], "crash");
    this.#text(marginX - 30, bottom + 20, "crash: what is not on the disk is gone", "crashed");
    for (const [place, line] of after.entries()) {
      this.#text(marginX - 30, bottom + 44 + place * lineHeight, line, "");
    }
    return this.#file({ width, height, title, description: after.join(" ") });
  }

  #file(file: { width: number; height: number; title: string; description: string }): string {
    const { width, height } = file;
    return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeXml(file.title)}</title>
<desc>${escapeXml(file.description)}</desc>
<style>${style}</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#b7791f"/></marker></defs>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${this.#parts.join("\n")}
</svg>
`;
  }

  #drawLanes(bottom: number): void {
    const titles = this.#lanes.map((lane) => laneTitles[lane as keyof typeof laneTitles]);
    const open =
      this.#story.plan.design === "lockstep" ? "written, not durable" : "open transaction";
    for (const [lane, title] of [...titles, open, "disk"].entries()) {
      this.#text(this.#x(lane), headTop, title, "head");
      this.#line([this.#x(lane), headTop + 10, this.#x(lane), bottom], "lane");
    }
    for (const [lane, name] of this.#lanes.entries()) this.#drawHolds(lane, name, bottom);
  }

  /** Thick lines where an actor holds the mutex. */
  #drawHolds(lane: number, name: string, bottom: number): void {
    let from: number | undefined;
    for (const [place, { actor, text }] of this.#story.events.entries()) {
      if (actor !== name) continue;
      if (text.startsWith("lock")) from = place;
      if (text !== "unlock" || from === undefined) continue;
      this.#line([this.#x(lane), this.#y(from), this.#x(lane), this.#y(place)], "held");
      from = undefined;
    }
    if (from === undefined) return;
    this.#line([this.#x(lane), this.#y(from), this.#x(lane), bottom], "held");
  }

  #drawEvent(place: number, event: RunEvent, before: RunEvent | undefined): void {
    const y = this.#y(place);
    const lane = Math.max(0, this.#lanes.indexOf(event.actor));
    const isCommit = event.text.startsWith("commit");
    this.#text(marginX - 8, y + 4, String(place + 1), "number");
    const openLane = this.#lanes.length;
    const disk = describeDisk(event.disk);
    const isNewDisk = disk !== describeDisk(before?.disk ?? new Map());
    const open = describeRows(event.unsaved);
    const isNewOpen = open !== describeRows(before?.unsaved ?? []);
    if (isNewOpen) this.#flow(lane, openLane, y);
    if (isNewDisk) this.#flow(isNewOpen ? openLane : lane, openLane + 1, y);
    this.#box(lane, y, event.text, isCommit ? "commit" : "step");
    if (isNewOpen) this.#box(openLane, y, open === "-" ? "empty" : open, "open");
    const isLast = place === this.#story.events.length - 1;
    if (isNewDisk || isLast) this.#box(openLane + 1, y, disk, isLast ? "broken" : "disk");
  }

  #flow(from: number, to: number, y: number): void {
    const half = (laneWidth - 14) / 2;
    this.#line([this.#x(from) + half, y, this.#x(to) - half, y], "flow");
  }

  #box(lane: number, y: number, text: string, name: string): void {
    const width = laneWidth - 14;
    const lines = wrap(text, boxColumns).slice(0, 2);
    const height = 14 + 14 * lines.length;
    const x = this.#x(lane) - width / 2;
    this.#parts.push(
      `<rect class="${name}" x="${x}" y="${y - height / 2}" width="${width}" height="${height}" rx="4"/>`,
    );
    for (const [place, line] of lines.entries()) {
      this.#text(this.#x(lane), y + 4 + 14 * (place - (lines.length - 1) / 2), line, "cell");
    }
  }

  #x(lane: number): number {
    return marginX + laneWidth * lane + laneWidth / 2;
  }

  #y(place: number): number {
    return headTop + 44 + place * rowHeight;
  }

  #text(x: number, y: number, text: string, name: string): void {
    const attribute = name === "" ? "" : ` class="${name}"`;
    this.#parts.push(`<text${attribute} x="${x}" y="${y}">${escapeXml(text)}</text>`);
  }

  #line([x1, y1, x2, y2]: readonly [number, number, number, number], name: string): void {
    this.#parts.push(`<line class="${name}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`);
  }
}

function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
