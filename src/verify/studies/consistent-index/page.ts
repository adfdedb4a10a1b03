/**
 * The page that `lockstep sim designs` prints: the question, the four designs, the interleavings
 * that break them, and the table. Written for a reader who has never heard of any of it.
 */
import { type CaseResult, isAsExpected } from "./campaign.js";
import { type Design, designs } from "./design.js";
import { renderText } from "./diagram-text.js";
import type { DesignName } from "./plan.js";

const introduction = `HOW A MEMBER KNOWS WHERE IT STANDS

A member applies the entries of the replicated log, one after another, to its database. The database
is slow to make durable, so many entries share one open transaction, which a timer commits every
100 ms. A crash loses what is not committed. That is no harm: the log is durable, and the member
applies the missing entries again - if it knows which. For this the database holds one small row,
the consistent index: "I contain the entries up to here".

So there is one law. In whatever state a crash leaves the disk: its content is exactly what the
entries 1 to index produce. An index that is too small applies entries twice. One that is too large
skips entries. An entry of which only a part is there is neither.

The index and the rows are written by different code, and the timer does not wait for either. Below,
each design runs on a scheduler that chooses who makes the next step (apply loop, commit ticker,
compaction, backup, defragmentation). After every step, every state that a crash could leave on the
disk is held against the law, and what a restart makes of it is compared with the other members.
`;

export interface PageInput {
  readonly results: readonly CaseResult[];
  readonly seeds: number;
  /** All designs if undefined. */
  readonly only: DesignName | undefined;
}

/** The page as text, for a terminal. */
export function renderPage({ results, seeds, only }: PageInput): string {
  const shown = designs.filter(({ name }) => only === undefined || name === only);
  const parts = only === undefined ? [introduction] : [];
  parts.push("THE DESIGNS\n", ...shown.map((design, place) => renderDesign(design, place)));
  for (const result of results) {
    if (result.story !== undefined) parts.push(renderStory(result));
  }
  parts.push(
    `WHAT ${seeds} SEEDS FOUND\n\n${renderTable(results)}`,
    legend,
    renderVerdict(results),
  );
  return parts.join("\n");
}

function renderDesign(design: Design, place: number): string {
  const lines = [
    `${place + 1}. ${design.name} - ${design.origin}`,
    ...design.how,
    ...design.weakness,
  ];
  return `${lines.map((line, at) => (at === 0 ? line : `   ${line}`)).join("\n")}\n`;
}

function renderStory(result: CaseResult): string {
  const { story } = result;
  if (story === undefined) return "";
  const { name, remark } = result.case;
  const heading = `${name.toUpperCase()}: ${story.finding.kind.toUpperCase()}`;
  const why = remark === "" ? "" : ` (${remark})`;
  const size = `Seed ${story.seed}, shrunk from ${story.eventsBefore} to ${story.eventsAfter} events${why}.`;
  return `${heading}\n\n${size}\n${renderText(story)}`;
}

const columns = [
  "design",
  "wrong in",
  "stays",
  "seeds",
  "events",
  "what it gets wrong",
  "locks",
  "index",
  "commits",
] as const;

function renderTable(results: readonly CaseResult[]): string {
  const rows = results.map((result): string[] => {
    const { counters, story, seeds } = result;
    const share = (count: number): string => `${((100 * count) / seeds).toFixed(0)} %`;
    const perEntry = (count: number): string => (count / Math.max(1, counters.entries)).toFixed(2);
    return [
      result.case.name,
      result.lawSeeds === 0 ? "0" : share(result.lawSeeds),
      result.harmSeeds === 0 ? "0" : share(result.harmSeeds),
      seedsToFailure(result),
      story === undefined ? "-" : String(story.eventsAfter),
      whatIsWrong(result),
      perEntry(counters.sections),
      perEntry(counters.indexWrites),
      perEntry(counters.commits),
    ];
  });
  const table = [[...columns], ...rows];
  const widths = columns.map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] as number))
      .join("  ")
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  return `${lines.join("\n")}\n`;
}

/** How many seeds it took; a failure that a restart does not repair counts first. */
function seedsToFailure(result: CaseResult): string {
  const first = result.firstHarmSeed ?? result.firstLawSeed;
  return first === undefined ? "never" : String(first - result.firstSeed + 1);
}

function whatIsWrong(result: CaseResult): string {
  const kinds = [...result.kinds.keys()];
  return kinds.length === 0 ? "nothing" : kinds.sort().join(", ");
}

const legend = `wrong in: seeds in which some crash image broke the law. stays: seeds in which a restart does not
repair it. seeds: how many it took to see that. events: of the shrunk plan, with the crash. The cost,
for each entry applied: locks taken by the apply loop, writes of the index row, commits.
`;

function renderVerdict(results: readonly CaseResult[]): string {
  const wrong = results.filter((result) => !isAsExpected(result));
  if (wrong.length === 0) return "Every design behaved as history says.\n";
  const lines = wrong.map((result) => {
    const expected = result.case.expected ?? "nothing wrong";
    return `NOT AS HISTORY SAYS: ${result.case.name}: expected ${expected}, found ${whatIsWrong(result)}.`;
  });
  return `${lines.join("\n")}\n`;
}
