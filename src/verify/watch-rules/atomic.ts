/** The events of one revision come in one answer, or in fragments of one. */
import { eventName } from "./seen-watch.js";
import { eventText, type WatchRule } from "./watch-rule.js";

export const atomic: WatchRule = {
  id: "atomic",
  check({ watch, events }) {
    const known = new Set<string>();
    const wrong: string[] = [];
    /** By revision: the answer that began to show it. */
    const answers = new Map<number, number>();
    for (const { event, response } of events) {
      if (known.has(eventName(event))) continue;
      known.add(eventName(event));
      const before = answers.get(event.mod);
      answers.set(event.mod, response);
      if (before === undefined || before === response) continue;
      const isFragment = before === response - 1 && watch.responses[before]?.fragment === true;
      if (!isFragment) wrong.push(`tells of ${eventText(event)} apart from the rest of it`);
    }
    return wrong;
  },
};
