/**
 * Clients recognise a creation by create = mod: the life of a key and its version must be the real
 * ones.
 */
import { isSameCount, notRecorded } from "../history/not-recorded.js";
import { truthOf } from "./seen-watch.js";
import { eventText, type WatchRule } from "./watch-rule.js";

export const isCreate: WatchRule = {
  id: "is-create",
  check({ events }, truth) {
    const wrong: string[] = [];
    for (const { event } of events) {
      const known = truthOf(event, truth);
      if (known === undefined || known.type !== event.type) continue;
      const { create, version } = event;
      if (isSameCount(create, known.create) && isSameCount(version, known.version)) {
        if (create !== notRecorded || known.create !== known.mod) continue;
      }
      const told = create === notRecorded ? "no creation" : `created ${create}, version ${version}`;
      const real = `created ${known.create}, version ${known.version}`;
      wrong.push(`tells of ${eventText(event)} as ${told}, but it was ${real}`);
    }
    return wrong;
  },
};
