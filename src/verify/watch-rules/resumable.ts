/**
 * A watch begins where it was asked to begin: the first event is the first one from there on. The
 * member may refuse only if the history there is gone: below a compaction, never at its revision.
 */
import { missing } from "./seen-watch.js";
import { eventText, type WatchRule } from "./watch-rule.js";

export const resumable: WatchRule = {
  id: "resumable",
  check(seen, truth) {
    const { watch, start, lowest, reached } = seen;
    if (start === undefined) return [];
    const to = lowest === undefined ? reached : lowest - 1;
    const wrong = missing(seen, truth, { from: start, to }).map(
      (event) => `begins at revision ${start}, but never tells of ${eventText(event)}`,
    );
    for (const { compactRevision } of watch.responses) {
      if (compactRevision === undefined) continue;
      if (compactRevision > truth.compactRevision) {
        wrong.push(`is told of a compaction at ${compactRevision}, which never happened`);
      }
      const next = Math.max(start, reached + 1);
      if (next >= compactRevision) {
        wrong.push(`ends before revision ${next}, which compaction at ${compactRevision} left`);
      }
    }
    return wrong;
  },
};
