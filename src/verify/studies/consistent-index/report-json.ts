/**
 * The results as plain data for `--json`: the numbers of the table, and of each story the plan,
 * which `--replay` runs again, with its finding.
 */
import { type CaseResult, isAsExpected } from "./campaign.js";

export function reportOf(results: readonly CaseResult[]): object {
  return {
    format: 1,
    isAsExpected: results.every(isAsExpected),
    cases: results.map(caseReport),
  };
}

function caseReport(result: CaseResult): object {
  const { case: subject, kinds, story, ...counts } = result;
  return {
    name: subject.name,
    design: subject.design,
    expected: subject.expected ?? null,
    isAsExpected: isAsExpected(result),
    ...counts,
    kinds: Object.fromEntries(kinds),
    story: story === undefined ? null : storyReport(story),
  };
}

function storyReport(story: NonNullable<CaseResult["story"]>): object {
  const { seed, eventsBefore, eventsAfter, plan, finding, events } = story;
  const { image, ...found } = finding;
  return {
    seed,
    eventsBefore,
    eventsAfter,
    plan,
    events: events.map(({ actor, text }) => ({ actor, text })),
    finding: { ...found, image: Object.fromEntries(image) },
  };
}
