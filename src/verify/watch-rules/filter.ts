/**
 * A watch gets only what it asked for: keys of the range, kinds of events that are not filtered
 * out.
 */
import { isAskedFor } from "./seen-watch.js";
import { eventText, type WatchRule } from "./watch-rule.js";

export const filter: WatchRule = {
  id: "filter",
  check({ watch, events }) {
    return events
      .filter(({ event }) => !isAskedFor(watch, event))
      .map(({ event }) => `tells of ${eventText(event)}, which it was not asked for`);
  },
};
