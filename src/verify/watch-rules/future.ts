/**
 * A watch shows nothing before the revision where it was asked to begin: no event, and no progress
 * that would send a client back that continues from there (etcd #20221).
 */
import { isProgress } from "./seen-watch.js";
import { eventText, type WatchRule } from "./watch-rule.js";

export const future: WatchRule = {
  id: "future",
  check({ watch, start, events }) {
    if (start === undefined) return [];
    const wrong = events
      .filter(({ event }) => event.mod < start)
      .map(({ event }) => `begins at revision ${start}, but tells of ${eventText(event)}`);
    watch.responses.forEach(({ revision }, place) => {
      if (!isProgress(watch, place) || revision >= start - 1) return;
      wrong.push(`begins at revision ${start}, but tells of progress to ${revision}`);
    });
    return wrong;
  },
};
