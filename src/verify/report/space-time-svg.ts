/**
 * A trace as a space-time diagram in SVG: a lifeline for each node and one for clients; time runs
 * down. Each event has its own row, so that labels never overlap. A long quiet time becomes a gap
 * that says how long it was. Self-contained: no script, no font, no link. The same trace gives the
 * same bytes.
 */

import { type Flight, layOutSpaceTime, type SpaceTime, type SpaceTimeInput } from "./space-time.js";
import { describeGap, timeText } from "./space-time-text.js";
import type { TraceEvent, TraceKind } from "./trace.js";
import { shortText, wrapText, xmlText } from "./xml-text.js";

const marginLeft = 96;
const laneWidth = 190;
const headTop = 92;
/** An arrival has a label only if its send is missing. */
const rowHeight = { labelled: 20, bare: 11 };
const gapHeight = 26;
const labelColumns = 25;
const noteColumns = 100;
/** Half the width of a lifeline with a term. */
const band = 5;
const termColours = ["#9ec5f4", "#b9dfa6", "#f6d486", "#d6b8ef", "#f4b59d", "#9fdcd6", "#f2b3cf"];

const style = `text { font: 12px sans-serif; fill: #1c2430; paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round; }
.title { font-size: 18px; font-weight: bold; } .head { font-size: 13px; font-weight: bold; text-anchor: middle; }
.time { font: 11px monospace; text-anchor: end; fill: #66707f; } .gap { font-size: 11px; font-style: italic; fill: #8a93a1; }
.quiet { fill: #66707f; } .life { stroke: #6b7686; stroke-width: 1.5; } .idle { stroke: #d5dae1; stroke-dasharray: 2 4; }
.down { stroke: #d5dae1; stroke-width: 1; stroke-dasharray: 1 5; } .pause { fill: url(#hatch); stroke: #8a93a1; }
.message { stroke: #3b6fb6; stroke-width: 1.3; fill: none; marker-end: url(#arrow); } .lost { stroke: #c53030; stroke-dasharray: 5 3; }
.flying { stroke: #3b6fb6; stroke-dasharray: 2 3; } .cross { stroke: #c53030; stroke-width: 2.2; fill: none; }
.dot { fill: #1c2430; } .apply { fill: #2f855a; } .durable { fill: #b7791f; stroke: #ffffff; } .role { fill: #ffffff; stroke: #1c2430; stroke-width: 1.5; }
.start { fill: #2f855a; } .ask { fill: #6b46c1; } .fault { stroke: #dd6b20; stroke-dasharray: 7 4; } .heal { stroke: #2f855a; stroke-dasharray: 7 4; }
.faulty { fill: #b04d0c; } .healed { fill: #2f855a; } .violation { stroke: #c53030; stroke-width: 2.5; } .violated { fill: #c53030; stroke: #ffffff; stroke-width: 2; }
.wrong { fill: #c53030; font-weight: bold; font-size: 13px; } .term { font-size: 10px; text-anchor: middle; }`;

/** The whole file. */
export function renderSpaceTimeSvg(input: SpaceTimeInput): string {
  return new SpaceTimeSvg(input).render();
}

class SpaceTimeSvg {
  readonly #input: SpaceTimeInput;
  readonly #layout: SpaceTime;
  /** The middle of each row; one more for the end. */
  readonly #rowY: number[] = [];
  readonly #parts: string[] = [];

  constructor(input: SpaceTimeInput) {
    this.#input = input;
    this.#layout = layOutSpaceTime(input);
  }

  render(): string {
    const { events, title } = this.#input;
    this.#drawGaps();
    this.#drawLanes();
    for (const flight of this.#layout.flights) this.#drawFlight(flight);
    for (const [row, event] of events.entries()) this.#drawEvent(row, event);
    const violations = events.filter(({ kind }) => kind === "violation");
    const notes = violations.flatMap(({ text }) => wrapText(text, noteColumns));
    const bottom = this.#y(events.length) + 24;
    for (const [place, line] of notes.entries()) {
      this.#text([24, bottom + place * 18], line, "wrong");
    }
    const width = marginLeft + laneWidth * this.#layout.lanes.length + 40;
    const height = bottom + notes.length * 18 + 10;
    this.#text([24, 30], title, "title");
    this.#legend();
    const description = `${events.length} events on ${this.#layout.lanes.length} lanes. ${violations.map(({ text }) => text).join(" ")}`;
    return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${xmlText(title)}</title>
<desc>${xmlText(description)}</desc>
<style>${style}</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#3b6fb6"/></marker>
<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#ffffff"/><path d="M0 0V6" stroke="#8a93a1" stroke-width="2.5"/></pattern></defs>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${this.#parts.join("\n")}
</svg>
`;
  }

  /** Also sets the places of the rows. */
  #drawGaps(): void {
    const { events } = this.#input;
    const right = marginLeft + laneWidth * this.#layout.lanes.length;
    let y = headTop + 34;
    let before: TraceEvent | undefined;
    for (const [row, event] of events.entries()) {
      const gap = before === undefined ? undefined : describeGap(event.atUs - before.atUs);
      if (gap !== undefined) {
        this.#line([marginLeft - 10, y - 2, right, y - 2], "idle");
        this.#text([marginLeft - 10, y + 2], gap, "gap");
        y += gapHeight;
      }
      this.#rowY.push(y);
      const isBare = event.kind === "receive" && !this.#layout.orphans.has(row);
      y += isBare ? rowHeight.bare : rowHeight.labelled;
      before = event;
    }
    this.#rowY.push(y);
  }

  #drawLanes(): void {
    const { lanes, downs, pauses, terms } = this.#layout;
    const end = this.#input.events.length;
    for (const [lane, name] of lanes.entries()) {
      const x = this.#x(lane);
      this.#text([x, headTop], shortText(name, labelColumns), "head");
      let from = headTop + 8;
      for (const { fromRow, toRow } of downs.filter((down) => down.lane === lane)) {
        const [top, bottom] = [fromRow === 0 ? headTop + 8 : this.#y(fromRow), this.#y(toRow)];
        this.#line([x, from, x, top], "life");
        this.#line([x, top, x, bottom], "down");
        from = bottom;
      }
      if (from < this.#y(end)) this.#line([x, from, x, this.#y(end)], "life");
    }
    for (const { lane, fromRow, toRow, term } of terms) {
      const colour = termColours[term % termColours.length];
      this.#bar({ lane, fromRow, toRow }, band, `fill="${colour}" data-term="${term}"`);
      this.#text([this.#x(lane) - 22, this.#y(fromRow) + 4], `t${term}`, "term");
    }
    for (const pause of pauses) this.#bar(pause, band + 2, 'class="pause"');
  }

  #bar(
    { lane, fromRow, toRow }: { lane: number; fromRow: number; toRow: number },
    half: number,
    attributes: string,
  ): void {
    const y = this.#y(fromRow);
    this.#parts.push(
      `<rect ${attributes} x="${this.#x(lane) - half}" y="${y}" width="${half * 2}" height="${this.#y(toRow) - y}"/>`,
    );
  }

  #drawFlight({ fromLane, fromRow, toLane, toRow, isLost }: Flight): void {
    const [x1, y1] = [this.#x(fromLane), this.#y(fromRow)];
    const side = toLane === undefined || toLane >= fromLane ? 1 : -1;
    if (toLane === undefined || toRow === undefined) {
      this.#line([x1, y1, x1 + side * 60, y1 + 12], "flying");
      return;
    }
    const [x2, y2] = [this.#x(toLane), this.#y(toRow)];
    if (!isLost) {
      const inset = toLane === fromLane ? 0 : side * band;
      this.#line([x1 + inset, y1, x2 - inset, y2], "message");
      return;
    }
    // Ends away from the lifeline, because the message never arrived.
    const [x, y] = [round(x1 + (x2 - x1) * 0.7), round(y1 + (y2 - y1) * 0.7)];
    this.#line([x1, y1, x, y], "lost");
    this.#cross(x, y);
  }

  #drawEvent(row: number, event: TraceEvent): void {
    const { kind, text } = event;
    const lane = this.#layout.laneOf[row] as number;
    const [x, y] = [this.#x(lane), this.#y(row)];
    const isOrphan = this.#layout.orphans.has(row);
    this.#text([marginLeft - 18, y + 4], timeText(event.atUs), "time");
    if (kind === "receive" || kind === "drop") {
      if (kind === "drop" && isOrphan) this.#cross(x, y);
      if (!isOrphan) return;
    }
    const looks = appearance[kind];
    const isAcross = looks.across !== undefined && (lane === 0 || kind === "violation");
    if (isAcross) {
      const right = marginLeft + laneWidth * this.#layout.lanes.length;
      this.#line([marginLeft - 10, y, right, y], looks.across as string);
    }
    this.#parts.push(looks.mark(x, y));
    const flight = this.#layout.flights.find(({ fromRow }) => fromRow === row);
    const isLeft = kind === "send" && flight?.toLane !== undefined && flight.toLane < lane;
    const label = looks.label?.(text) ?? text;
    const offset = (isLeft ? -1 : 1) * (band + 7);
    const anchor = isLeft ? ' text-anchor="end"' : "";
    const full = xmlText(`${timeText(event.atUs)} ${event.node ?? ""} ${kind}: ${text}`);
    this.#parts.push(
      `<text class="${looks.words}" x="${x + offset}" y="${isAcross ? y - 4 : y + 4}"${anchor}>${xmlText(shortText(label, labelColumns))}<title>${full}</title></text>`,
    );
  }

  #cross(x: number, y: number): void {
    this.#parts.push(
      `<path class="cross" d="M${x - 5} ${y - 5}L${x + 5} ${y + 5}M${x + 5} ${y - 5}L${x - 5} ${y + 5}"/>`,
    );
  }

  #legend(): void {
    const items = [
      [appearance.apply, "apply"],
      [appearance.fsync, "fsync"],
      [appearance.commit, "commit"],
      [appearance.role, "change of role"],
    ] as const;
    let x = 30;
    for (const [{ mark }, words] of items) {
      this.#parts.push(mark(x, 52));
      this.#text([x + 11, 56], words, "quiet");
      x += 34 + words.length * 7;
    }
    const rest =
      "arrow: message; red x: lost; dotted: in flight; colour: term; hatched: paused; gap: down";
    this.#text([x, 56], rest, "quiet");
  }

  #x(lane: number): number {
    return marginLeft + laneWidth * lane + 30;
  }

  #y(row: number): number {
    return this.#rowY[row] as number;
  }

  #text([x, y]: readonly [number, number], text: string, name: string): void {
    this.#parts.push(`<text class="${name}" x="${x}" y="${y}">${xmlText(text)}</text>`);
  }

  #line([x1, y1, x2, y2]: readonly [number, number, number, number], name: string): void {
    this.#parts.push(`<line class="${name}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`);
  }
}

interface Appearance {
  readonly mark: (x: number, y: number) => string;
  /** The class of the label. */
  readonly words: string;
  /** The class of a line across all lanes. */
  readonly across?: string;
  readonly label?: (text: string) => string;
}

const dot =
  (name: string, radius = 3) =>
  (x: number, y: number): string =>
    `<circle class="${name}" cx="${x}" cy="${y}" r="${radius}"/>`;
const square = (x: number, y: number): string =>
  `<rect class="durable" x="${x - 4.5}" y="${y - 4.5}" width="9" height="9"/>`;
const diamond = (x: number, y: number): string =>
  `<path class="durable" d="M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}z"/>`;
const cut = (x: number, y: number): string =>
  `<path class="cross" d="M${x - 8} ${y - 8}L${x + 8} ${y + 8}M${x + 8} ${y - 8}L${x - 8} ${y + 8}"/>`;
const star = (x: number, y: number): string =>
  `<path class="violated" d="M${x} ${y - 11}L${x + 11} ${y}L${x} ${y + 11}L${x - 11} ${y}z"/>`;

const named =
  (name: string) =>
  (text: string): string =>
    text === "" || text.startsWith(name) ? text : `${name}: ${text}`;

/** The whole text stands below the picture. */
const invariantOf = (text: string): string => text.split(":")[0] as string;

const appearance: Readonly<Record<TraceKind, Appearance>> = {
  start: { mark: dot("start", 6), words: "healed" },
  crash: { mark: cut, words: "faulty", label: named("crash") },
  pause: { mark: dot("dot", 4), words: "faulty", label: named("pause") },
  resume: { mark: dot("start", 4), words: "healed", label: named("resume") },
  send: { mark: dot("dot"), words: "words" },
  receive: { mark: dot("dot"), words: "quiet" },
  drop: { mark: () => "", words: "faulty", label: named("lost") },
  fsync: { mark: square, words: "quiet", label: named("fsync") },
  commit: { mark: diamond, words: "quiet", label: named("commit") },
  apply: { mark: dot("apply", 4.5), words: "words" },
  role: { mark: dot("role", 6), words: "words" },
  fault: { mark: dot("dot"), words: "faulty", across: "fault", label: named("fault") },
  heal: { mark: dot("dot"), words: "healed", across: "heal", label: named("heal") },
  client: { mark: dot("ask", 4.5), words: "words" },
  violation: { mark: star, words: "wrong", across: "violation", label: invariantOf },
  log: { mark: () => "", words: "quiet" },
};

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
