/** What clients saw, judged against the log (C1 to C5) at the end of a run. */
import type { History } from "../../history/types.js";
import type { Ghost } from "./ghost.js";

export interface HistoryFinding {
  readonly invariant: string;
  readonly text: string;
}

export function judgeHistory(_history: History, _ghost: Ghost): readonly HistoryFinding[] {
  return [];
}
