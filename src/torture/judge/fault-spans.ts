/** The times when faults were on, as the marks of a history tell them. */
import type { Mark } from "../../verify/history/types.js";

export interface FaultSpan {
  readonly fromUs: number;
  readonly toUs: number;
}

/** One span for each fault and member, by their begin. A fault that never ended has no end. */
export function faultSpans(marks: readonly Mark[]): readonly FaultSpan[] {
  const spans: FaultSpan[] = [];
  const open = new Map<string, number>();
  for (const { kind, atUs, member = "", text } of marks) {
    const of = `${member} ${text.split(/[: ]/)[0]}`;
    if (kind === "fault") open.set(of, atUs);
    if (kind !== "heal") continue;
    spans.push({ fromUs: open.get(of) ?? atUs, toUs: atUs });
    open.delete(of);
  }
  for (const fromUs of open.values()) spans.push({ fromUs, toUs: Number.MAX_SAFE_INTEGER });
  return spans.toSorted((a, b) => a.fromUs - b.fromUs);
}
