/**
 * Lays a client history out for its page: a lane per client, and one per client with watches. A
 * lane has as many rows as it needs for overlapping intervals. An operation without a known end
 * takes its row until the client's next call; its open end is drawn below the row.
 */
import type { History, Mark, Operation, Watch } from "../history/types.js";
import type {
  PageData,
  PageItem,
  PageLane,
  PageMark,
  PageRow,
  PageViolation,
} from "./browser/page-data.js";
import {
  milliseconds,
  operationDetails,
  operationLabel,
  responseDetails,
  responseLabel,
  watchDetails,
  watchLabel,
} from "./operation-text.js";
import { shortText, visibleText } from "./xml-text.js";

const rowPx = 22;
const laneGapPx = 8;
const labelMax = 80;

export interface MarkedPlace {
  readonly text: string;
  readonly operationId?: number;
  /** The time to jump to, if the violation is no operation. */
  readonly atUs?: number;
}

export interface HistoryPageInput {
  readonly history: History;
  readonly title: string;
  readonly violation?: MarkedPlace;
}

/** Computes lanes and places; the browser only draws them. */
export function layOutHistory({ history, violation }: HistoryPageInput): PageData {
  const { fromUs, toUs } = extentOf(history, violation?.atUs);
  const layout = new LaneLayout();
  for (const [client, operations] of byClient(history.operations)) {
    layout.addLane(`client ${client}`, operationItems(operations, toUs));
  }
  for (const [client, watches] of byClient(history.watches)) {
    layout.addLane(`watches ${client}`, watchItems(watches));
  }
  const items = layout.items.sort((a, b) => a.fromUs - b.fromUs || a.row - b.row);
  return {
    fromUs,
    toUs,
    operations: history.operations.length,
    lanes: layout.lanes,
    rows: layout.rows,
    items,
    marks: history.marks.map(pageMark).sort((a, b) => a.atUs - b.atUs),
    violation: findViolation(history, items, violation),
    rowPx,
    gutterPx: 120,
    headPx: 48,
    heightPx: layout.heightPx,
  };
}

type Draft = Omit<PageItem, "row"> & {
  /** The row is taken until this time. */
  readonly untilUs: number;
};

class LaneLayout {
  readonly lanes: PageLane[] = [];
  readonly rows: PageRow[] = [];
  readonly items: PageItem[] = [];
  heightPx = 0;

  /** A moment goes into the row of the interval before it. */
  addLane(name: string, drafts: readonly (readonly [bar: Draft, moments: Draft[]])[]): void {
    const first = this.rows.length;
    const freeAt: number[] = [];
    for (const [bar, moments] of drafts) {
      const free = freeAt.findIndex((atUs) => atUs <= bar.fromUs);
      const row = free < 0 ? freeAt.length : free;
      freeAt[row] = bar.untilUs;
      for (const { untilUs: _, ...item } of [bar, ...moments]) {
        this.items.push({ ...item, row: first + row });
      }
    }
    const topPx = this.heightPx + laneGapPx / 2;
    for (const row of freeAt.keys()) {
      this.rows.push({ lane: this.lanes.length, topPx: topPx + row * rowPx });
    }
    this.heightPx += freeAt.length * rowPx + laneGapPx;
    this.lanes.push({ name, topPx, heightPx: freeAt.length * rowPx });
  }
}

function byClient<T extends { readonly client: number; readonly callUs: number }>(
  list: readonly T[],
): [number, T[]][] {
  const groups = new Map<number, T[]>();
  for (const one of [...list].sort((a, b) => a.callUs - b.callUs)) {
    const group = groups.get(one.client);
    if (group === undefined) groups.set(one.client, [one]);
    else group.push(one);
  }
  return [...groups].sort(([a], [b]) => a - b);
}

function operationItems(operations: readonly Operation[], endUs: number): [Draft, Draft[]][] {
  return operations.map((operation, place) => {
    const { callUs, returnUs, request, outcome } = operation;
    const toUs = returnUs ?? operations[place + 1]?.callUs ?? endUs;
    const bar: Draft = {
      fromUs: callUs,
      toUs,
      untilUs: toUs,
      kind: request.kind,
      outcome: outcome.kind,
      isOpen: outcome.kind === "unknown",
      isMoment: false,
      label: shortText(operationLabel(operation), labelMax),
      details: operationDetails(operation),
    };
    return [bar, []];
  });
}

/**
 * A watch that no client canceled may have lived on or not: after its last answer nothing is known.
 */
function watchItems(watches: readonly Watch[]): [Draft, Draft[]][] {
  return watches.map((watch) => {
    const last = watch.responses.at(-1);
    const toUs = last?.atUs ?? watch.callUs;
    const bar: Draft = {
      outcome: "ok",
      isOpen: last?.canceled !== true,
      fromUs: watch.callUs,
      toUs,
      untilUs: toUs,
      kind: "watch",
      isMoment: false,
      label: shortText(watchLabel(watch), labelMax),
      details: watchDetails(watch),
    };
    const moments = watch.responses.map(
      (response): Draft => ({
        outcome: "ok",
        isOpen: false,
        fromUs: response.atUs,
        toUs: response.atUs,
        untilUs: response.atUs,
        kind: "event",
        isMoment: true,
        label: responseLabel(response),
        details: responseDetails(watch, response),
      }),
    );
    return [bar, moments];
  });
}

function pageMark({ atUs, kind, member, text }: Mark): PageMark {
  const name = member === undefined ? "" : `${visibleText(member)}: `;
  const words = `${name}${visibleText(text)}`;
  return {
    atUs,
    kind,
    label: shortText(words, labelMax),
    details: `${kind}: ${words}\nat: ${milliseconds(atUs)}`,
  };
}

function extentOf(
  { operations, watches, marks }: History,
  violationUs: number | undefined,
): { fromUs: number; toUs: number } {
  let fromUs = Number.POSITIVE_INFINITY;
  let toUs = Number.NEGATIVE_INFINITY;
  const take = (us: number): void => {
    fromUs = Math.min(fromUs, us);
    toUs = Math.max(toUs, us);
  };
  for (const { callUs, returnUs } of operations) {
    take(callUs);
    take(returnUs ?? callUs);
  }
  for (const { callUs, responses } of watches) {
    take(callUs);
    for (const { atUs } of responses) take(atUs);
  }
  for (const { atUs } of marks) take(atUs);
  if (violationUs !== undefined) take(violationUs);
  return fromUs > toUs ? { fromUs: 0, toUs: 0 } : { fromUs, toUs };
}

function findViolation(
  { operations, marks }: History,
  items: readonly PageItem[],
  told: MarkedPlace | undefined,
): PageViolation | undefined {
  const mark = marks.find(({ kind }) => kind === "violation");
  const operation = operations.find(({ id }) => id === told?.operationId);
  const details = operation === undefined ? undefined : operationDetails(operation);
  const at = items.findIndex((item) => !item.isMoment && item.details === details);
  const item = at < 0 ? undefined : at;
  const atUs = told?.atUs ?? operation?.returnUs ?? operation?.callUs ?? mark?.atUs;
  const text = told?.text ?? mark?.text;
  if (text === undefined || atUs === undefined) return undefined;
  return { text: visibleText(text), atUs, item };
}
