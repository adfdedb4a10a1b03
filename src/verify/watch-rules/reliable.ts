/**
 * Between the first event and the last answer of a watch no event is missing, and each event really
 * happened. The rule `resumable` judges what comes before the first event.
 */
import { isSameLease } from "../history/not-recorded.js";
import type { WatchEvent } from "../history/types.js";
import { missing, truthOf } from "./seen-watch.js";
import { eventText, type WatchRule } from "./watch-rule.js";

export const reliable: WatchRule = {
  id: "reliable",
  check(seen, truth) {
    const wrong: string[] = [];
    for (const { event } of seen.events) {
      const known = truthOf(event, truth);
      if (known === undefined) wrong.push(`tells of ${eventText(event)}, which never happened`);
      else if (!isSame(event, known)) {
        wrong.push(`tells of ${eventText(event)}, but it was ${eventText(known)}`);
      }
    }
    if (seen.lowest === undefined) return wrong;
    for (const event of missing(seen, truth, { from: seen.lowest, to: seen.reached })) {
      wrong.push(`never tells of ${eventText(event)}, but goes on to revision ${seen.reached}`);
    }
    return wrong;
  },
};

function isSame(a: WatchEvent, b: WatchEvent): boolean {
  return a.type === b.type && a.value === b.value && isSameLease(a.lease, b.lease);
}
