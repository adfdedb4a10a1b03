/**
 * The previous value is the one before the event, and the watch gets it if it asked for it. It may
 * be absent if compaction may have removed it.
 */
import { isSameCount, isSameLease } from "../history/not-recorded.js";
import type { KeyValue, WatchEvent } from "../history/types.js";
import { truthOf, type WatchTruth } from "./seen-watch.js";
import { eventText, type WatchRule } from "./watch-rule.js";

export const prevKv: WatchRule = {
  id: "prev-kv",
  check({ watch, events }, truth) {
    const wrong: string[] = [];
    for (const { event } of events) {
      const known = truthOf(event, truth);
      const told = known === undefined ? undefined : mistake(event, known.prev, truth);
      if (event.prev !== undefined && !watch.prevKv) {
        wrong.push(`tells of ${eventText(event)} with a previous value, unasked`);
      } else if (watch.prevKv && told !== undefined) {
        wrong.push(`tells of ${eventText(event)} ${told}`);
      }
    }
    return wrong;
  },
};

function mistake(
  { prev, mod }: WatchEvent,
  known: KeyValue | undefined,
  truth: WatchTruth,
): string | undefined {
  if (prev === undefined) {
    if (known === undefined || truth.othersCompact === true) return undefined;
    if (mod - 1 < truth.compactRevision) return undefined;
    return `without the previous value ${textOf(known)}`;
  }
  if (known === undefined) return `with the previous value ${textOf(prev)}, but there was none`;
  if (isSame(prev, known)) return undefined;
  return `with the previous value ${textOf(prev)}, but it was ${textOf(known)}`;
}

function isSame(a: KeyValue, b: KeyValue): boolean {
  return (
    a.key === b.key &&
    a.value === b.value &&
    isSameCount(a.create, b.create) &&
    a.mod === b.mod &&
    isSameCount(a.version, b.version) &&
    isSameLease(a.lease, b.lease)
  );
}

function textOf({ key, value, create, mod, version }: KeyValue): string {
  return `${key} = ${value} (created ${create}, modified ${mod}, version ${version})`;
}
