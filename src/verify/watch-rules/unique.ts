/** Each event comes once. */
import { eventName } from "./seen-watch.js";
import { eventText, type WatchRule } from "./watch-rule.js";

export const unique: WatchRule = {
  id: "unique",
  check({ events }) {
    const known = new Set<string>();
    const wrong: string[] = [];
    for (const { event } of events) {
      const name = eventName(event);
      if (known.has(name)) wrong.push(`tells twice of ${eventText(event)}`);
      known.add(name);
    }
    return wrong;
  },
};
