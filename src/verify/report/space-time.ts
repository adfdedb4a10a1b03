/**
 * A trace laid out for a space-time diagram, before drawing: the lane of each event, the send of
 * each arrival, when each node was down or paused, and in which term it was. Rows are places in the
 * given list of events, which may be a part of a trace. If something is missing from the list (the
 * send of an arrival, the start of a crashed node), the layout marks it as missing and invents
 * nothing.
 */
import type { TraceEvent } from "./trace.js";

/** The first lane: clients and the world. */
export const clientsLane = "clients";

export interface SpaceTimeInput {
  /** In the order in which they happened. */
  readonly events: readonly TraceEvent[];
  /** Lanes from left to right; nodes that only occur in events come after them. */
  readonly nodes: readonly string[];
  readonly title: string;
  /**
   * The whole trace, if `events` is a part of it in the same order. Then the layout knows from the
   * first row on which nodes were down or paused, and their terms.
   */
  readonly trace?: readonly TraceEvent[];
}

/** Rows [from, to]; `to` may be the number of events: until the end. */
export interface DrawnSpan {
  readonly lane: number;
  readonly fromRow: number;
  readonly toRow: number;
}

/** The rows in which a member leads in `term`. */
export interface TermSpan extends DrawnSpan {
  readonly term: number;
}

export interface Flight {
  readonly fromLane: number;
  readonly fromRow: number;
  /** Undefined: the other end is not known. */
  readonly toLane: number | undefined;
  /** Undefined: neither arrival nor loss is among the events. */
  readonly toRow: number | undefined;
  readonly isLost: boolean;
}

export interface SpaceTime {
  readonly lanes: readonly string[];
  /** The lane of each event. */
  readonly laneOf: readonly number[];
  readonly flights: readonly Flight[];
  /** Rows of arrivals and losses whose send is not among the events. */
  readonly orphans: ReadonlySet<number>;
  readonly downs: readonly DrawnSpan[];
  readonly pauses: readonly DrawnSpan[];
  readonly terms: readonly TermSpan[];
}

/** Computes the diagram: a lane for each node, a row for each event, in the order of time. */
export function layOutSpaceTime({ events, nodes, trace }: SpaceTimeInput): SpaceTime {
  const named = events.flatMap(({ node }) => (node === undefined ? [] : [node]));
  const lanes = [...new Set([clientsLane, ...nodes, ...named])];
  const laneOf = events.map(({ node }) => (node === undefined ? 0 : lanes.indexOf(node)));
  const changes = trace === undefined ? [...events.entries()] : placed(trace, events);
  const walks = lanes.map((lane) => {
    const own = changes.filter(([, { node }]) => node === lane);
    return new LaneWalk(lanes.indexOf(lane)).walk(own, events.length);
  });
  return {
    lanes,
    laneOf,
    ...pair(events, lanes, laneOf),
    downs: walks.flatMap(({ downs }) => downs),
    pauses: walks.flatMap(({ pauses }) => pauses),
    terms: walks.flatMap(({ terms }) => terms),
  };
}

/** For each event of the trace the row that it is, or that it happened before. */
function placed(
  trace: readonly TraceEvent[],
  events: readonly TraceEvent[],
): [row: number, event: TraceEvent][] {
  let row = 0;
  return trace.map((event) => {
    while (row < events.length && (events[row] as TraceEvent).id < event.id) row++;
    return [row, event];
  });
}

function pair(
  events: readonly TraceEvent[],
  lanes: readonly string[],
  laneOf: readonly number[],
): { flights: Flight[]; orphans: Set<number> } {
  const sends = new Map<number, number>();
  const flights: Flight[] = [];
  const orphans = new Set<number>();
  const arrived = new Set<number>();
  for (const [row, { kind, message, node }] of events.entries()) {
    if (kind === "send" && message !== undefined) sends.set(message, row);
    if (kind !== "receive" && kind !== "drop") continue;
    const fromRow = message === undefined ? undefined : sends.get(message);
    if (fromRow === undefined) {
      orphans.add(row);
      continue;
    }
    arrived.add(fromRow);
    const sender = laneOf[fromRow] as number;
    // The trace may note a loss at its receiver, at its sender, or nowhere.
    const isAtOther = node !== undefined && laneOf[row] !== sender;
    const toLane = isAtOther ? laneOf[row] : laneOfPeer(events[fromRow] as TraceEvent, lanes);
    flights.push({ fromLane: sender, fromRow, toLane, toRow: row, isLost: kind === "drop" });
  }
  for (const [row, event] of events.entries()) {
    if (event.kind !== "send" || arrived.has(row)) continue;
    const fromLane = laneOf[row] as number;
    const toLane = laneOfPeer(event, lanes);
    flights.push({ fromLane, fromRow: row, toLane, toRow: undefined, isLost: false });
  }
  return { flights: flights.sort((a, b) => a.fromRow - b.fromRow), orphans };
}

function laneOfPeer({ peer }: TraceEvent, lanes: readonly string[]): number | undefined {
  const lane = peer === undefined ? -1 : lanes.indexOf(peer);
  return lane < 0 ? undefined : lane;
}

/** Follows one node through the rows and notes when it was down, paused, and in which term. */
class LaneWalk {
  readonly downs: DrawnSpan[] = [];
  readonly pauses: DrawnSpan[] = [];
  readonly terms: TermSpan[] = [];
  readonly #lane: number;
  #downFrom: number | undefined;
  #pausedFrom: number | undefined;
  #term: { readonly fromRow: number; readonly term: number } | undefined;

  constructor(lane: number) {
    this.#lane = lane;
  }

  walk(rows: readonly (readonly [row: number, event: TraceEvent])[], end: number): this {
    const first = rows.find(([, { kind }]) => /^(start|crash|pause|resume)$/.test(kind))?.[1].kind;
    if (first === "start") this.#downFrom = 0;
    if (first === "resume") this.#pausedFrom = 0;
    for (const [row, event] of rows) this.#take(row, event);
    this.#endPause(end);
    this.#endTerm(end);
    this.#endDown(end);
    return this;
  }

  #take(row: number, { kind, term }: TraceEvent): void {
    if (kind === "start") this.#endDown(row);
    if (kind === "resume" || kind === "crash") this.#endPause(row);
    if (kind === "pause") this.#pausedFrom ??= row;
    if (kind === "crash") {
      this.#endTerm(row);
      this.#downFrom ??= row;
    } else if (term !== undefined && term !== this.#term?.term) {
      this.#endTerm(row);
      this.#term = { fromRow: row, term };
    }
  }

  #endDown(toRow: number): void {
    if (this.#downFrom === undefined) return;
    if (this.#downFrom < toRow) {
      this.downs.push({ lane: this.#lane, fromRow: this.#downFrom, toRow });
    }
    this.#downFrom = undefined;
  }

  #endPause(toRow: number): void {
    if (this.#pausedFrom === undefined) return;
    if (this.#pausedFrom < toRow) {
      this.pauses.push({ lane: this.#lane, fromRow: this.#pausedFrom, toRow });
    }
    this.#pausedFrom = undefined;
  }

  #endTerm(toRow: number): void {
    if (this.#term === undefined) return;
    if (this.#term.fromRow < toRow) this.terms.push({ lane: this.#lane, ...this.#term, toRow });
    this.#term = undefined;
  }
}
