/**
 * --auto-compaction-mode and --auto-compaction-retention. As in etcd, a whole number is a number of
 * hours or of revisions, by the mode; anything else is a duration. In mode "revision" a duration makes
 * no sense. etcd takes it for its nanoseconds; here it is refused.
 */
import type { MemberConfig } from "../member/config.js";
import type { Values } from "./values.js";

const mode = "auto-compaction-mode";
const retention = "auto-compaction-retention";
const hourMs = 3_600_000;
/** etcd looks at the revision this often. */
const revisionLookMs = 5 * 60_000;
/** etcd looks ten times in a period. A shorter period would consist of looks only. */
const periodMsMin = 10;

/** @throws UsageError */
export function autoCompactionOf(values: Values): MemberConfig["autoCompaction"] {
  const chosen = values.choice(mode, ["periodic", "revision"]);
  const text = values.text(retention) === "" ? "0" : values.text(retention);
  const isNumber = /^\+?\d+$/.test(text);
  if (isNumber && !Number.isSafeInteger(Number(text) * hourMs)) {
    throw values.invalid(retention, "the number is too large");
  }
  if (chosen === "revision") {
    if (!isNumber) {
      throw values.invalid(retention, `it must be a number of revisions, with --${mode} revision`);
    }
    return { mode: chosen, retention: Number(text), revisionLookMs };
  }
  const periodMs = isNumber ? Number(text) * hourMs : durationOf(values);
  if (periodMs !== 0 && periodMs < periodMsMin) {
    throw values.invalid(retention, `it must be at least ${periodMsMin}ms, or 0`);
  }
  return { mode: chosen, retention: periodMs, revisionLookMs };
}

function durationOf(values: Values): number {
  const text = values.text(retention);
  if (/^\d*\.\d+$/.test(text)) {
    throw values.invalid(retention, "a fraction needs a unit: 30m, 0.5h");
  }
  return values.duration(retention);
}
