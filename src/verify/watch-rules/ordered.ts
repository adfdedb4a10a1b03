/** Events come in the order of their revisions. The rule `unique` judges repeated events. */
import { eventName } from "./seen-watch.js";
import { eventText, type WatchRule } from "./watch-rule.js";

export const ordered: WatchRule = {
  id: "ordered",
  check({ events }) {
    const wrong: string[] = [];
    const known = new Set<string>();
    let last = 0;
    for (const { event } of events) {
      if (known.has(eventName(event))) continue;
      known.add(eventName(event));
      if (event.mod < last) wrong.push(`tells of ${eventText(event)} after revision ${last}`);
      last = Math.max(last, event.mod);
    }
    return wrong;
  },
};
