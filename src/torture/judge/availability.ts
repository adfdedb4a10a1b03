/**
 * Measures for how long each member gave no answer to a write or a read, and whether a fault was on
 * at that time. A gap that goes on long after the last fault has ended is a finding.
 */
import type { History, Operation } from "../../verify/history/types.js";
import { type FaultSpan, faultSpans } from "./fault-spans.js";

export interface Gap {
  readonly member: string;
  readonly kind: "write" | "read";
  /** The longest time without an answer while a client asked, in milliseconds. */
  readonly longestMs: number;
  /** The part of that gap with no fault on, in milliseconds. */
  readonly calmMs: number;
}

/** A member that nothing harms must answer within this time. Elections are much shorter. */
const calmMsMax = 30_000;

/** The worst gap of each member, for writes and for reads. Members in the order of their names. */
export function availabilityGaps({ operations, marks }: History): readonly Gap[] {
  const faults = faultSpans(marks);
  const members = [...new Set(operations.map(({ member }) => member))].toSorted();
  return members.flatMap((member) =>
    (["write", "read"] as const).flatMap((kind) => {
      const asked = operations.filter((one) => one.member === member && kindOf(one) === kind);
      const gaps = gapsOf(asked).map((span) => ({
        longestMs: Math.round((span.toUs - span.fromUs) / 1_000),
        calmMs: Math.round(longestCalmUs(span, faults) / 1_000),
      }));
      const worst = gaps.toSorted((a, b) => b.calmMs - a.calmMs || b.longestMs - a.longestMs)[0];
      return worst === undefined ? [] : [{ member, kind, ...worst }];
    }),
  );
}

/** A sentence for each gap of which more than 30 s were calm. */
export function gapFindings(gaps: readonly Gap[]): readonly string[] {
  return gaps
    .filter(({ calmMs }) => calmMs > calmMsMax)
    .map(
      ({ member, kind, calmMs }) =>
        `${member} answered no ${kind} for ${(calmMs / 1_000).toFixed(1)} s although nothing harmed the cluster`,
    );
}

function kindOf({ request }: Operation): "write" | "read" | undefined {
  switch (request.kind) {
    case "put":
    case "delete":
    case "txn":
      return "write";
    case "range":
      return request.serializable === true ? undefined : "read";
    default:
      return undefined;
  }
}

/** The times between answers, as long as a client had asked and got no answer. */
function gapsOf(operations: readonly Operation[]): readonly FaultSpan[] {
  const gaps: FaultSpan[] = [];
  let sinceUs: number | undefined;
  for (const { outcome, callUs, returnUs } of operations) {
    if (outcome.kind === "unknown") sinceUs ??= callUs;
    else if (sinceUs !== undefined && returnUs !== undefined && callUs > sinceUs) {
      gaps.push({ fromUs: sinceUs, toUs: returnUs });
      sinceUs = undefined;
    }
  }
  const last = operations.at(-1);
  if (sinceUs !== undefined && last?.outcome.kind === "unknown") {
    gaps.push({ fromUs: sinceUs, toUs: last.returnUs ?? last.callUs });
  }
  return gaps;
}

function longestCalmUs({ fromUs, toUs }: FaultSpan, faults: readonly FaultSpan[]): number {
  let longest = 0;
  let calmFromUs = fromUs;
  for (const fault of faults) {
    if (fault.toUs <= calmFromUs) continue;
    if (fault.fromUs >= toUs) break;
    longest = Math.max(longest, fault.fromUs - calmFromUs);
    calmFromUs = Math.max(calmFromUs, fault.toUs);
  }
  return Math.max(longest, toUs - calmFromUs);
}
