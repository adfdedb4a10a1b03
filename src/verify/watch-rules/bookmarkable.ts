/**
 * A progress notification is a bookmark: all events up to its revision came before it, all others
 * come later. Its revision never goes down, and is never one that no member has reached.
 */
import { eventName, isProgress } from "./seen-watch.js";
import { eventText, type WatchRule } from "./watch-rule.js";

export const bookmarkable: WatchRule = {
  id: "bookmarkable",
  check({ watch }, truth) {
    const wrong: string[] = [];
    const known = new Set<string>();
    let bookmark = 0;
    let last = 0;
    watch.responses.forEach(({ events, revision }, place) => {
      for (const event of events) {
        if (event.mod <= bookmark && !known.has(eventName(event))) {
          wrong.push(`tells of ${eventText(event)} after progress to ${bookmark}`);
        }
        known.add(eventName(event));
        last = Math.max(last, event.mod);
      }
      if (!isProgress(watch, place)) return;
      const before = Math.max(bookmark, last);
      if (revision < before) wrong.push(`tells of progress to ${revision} after ${before}`);
      if (revision > truth.revision) {
        wrong.push(`tells of progress to ${revision}, but the last is ${truth.revision}`);
      }
      bookmark = Math.max(bookmark, revision);
    });
    return wrong;
  },
};
