/**
 * The data of the history view. The server side lays everything out in lanes and rows and writes
 * all texts, so that the script in the page only draws, searches and zooms. Times in microseconds,
 * lengths in CSS pixels.
 */

export interface PageLane {
  readonly name: string;
  /** The top of the lane's first row, from the top of all lanes. */
  readonly topPx: number;
  readonly heightPx: number;
}

export interface PageRow {
  readonly lane: number;
  readonly topPx: number;
}

/** How an operation ended: see OperationOutcome in history/types.ts. */
export type ItemOutcome = "ok" | "refused" | "unknown";

/** An operation, a watch, or an answer of a watch. */
export interface PageItem {
  readonly row: number;
  readonly fromUs: number;
  /** For an open end: the time when the client stopped waiting. */
  readonly toUs: number;
  readonly kind: string;
  readonly outcome: ItemOutcome;
  /**
   * For an operation: it may take effect at any time after `fromUs`. For a watch: no client saw its
   * end.
   */
  readonly isOpen: boolean;
  /** True for a moment on top of an interval. */
  readonly isMoment: boolean;
  /** A short text that fits into an interval. */
  readonly label: string;
  /** All details, as "name: value" lines. */
  readonly details: string;
}

export interface PageMark {
  readonly atUs: number;
  readonly kind: "fault" | "heal" | "leader" | "violation" | "note";
  readonly label: string;
  readonly details: string;
}

export interface PageViolation {
  readonly text: string;
  readonly atUs: number;
  /** The item's place in `items`. */
  readonly item: number | undefined;
}

export interface PageData {
  readonly fromUs: number;
  readonly toUs: number;
  /** The number of items without those of watches. */
  readonly operations: number;
  readonly lanes: readonly PageLane[];
  readonly rows: readonly PageRow[];
  /** Items of one row that are not moments do not overlap; in the order of `fromUs`. */
  readonly items: readonly PageItem[];
  /** The marks in the order of `atUs`. */
  readonly marks: readonly PageMark[];
  readonly violation: PageViolation | undefined;
  readonly rowPx: number;
  /** Names of lanes, left of the time line. */
  readonly gutterPx: number;
  /** Axis and marks, above the lanes. */
  readonly headPx: number;
  readonly heightPx: number;
}
