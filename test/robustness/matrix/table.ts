/** The matrix as Markdown. */
import type { Incident } from "./scene.js";

const head = [
  "case",
  "how it ends",
  "detected after",
  "entries",
  "reads right / refused / wrong",
  "writes lost",
  "writes/s before / during",
  "longest pause",
  "right again after",
];

function ms(value: number | undefined): string {
  if (value === undefined) return "-";
  return value < 1_000 ? `${Math.round(value)} ms` : `${(value / 1_000).toFixed(1)} s`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** One row each, and below what the member told. */
export function incidentTable(incidents: readonly Incident[]): string {
  const rows = incidents.map((one) => {
    const { right, refused, wrong } = one.reads;
    return line([
      one.name,
      one.ends,
      ms(one.detectedMs),
      one.detectedEntries === undefined ? "-" : String(one.detectedEntries),
      `${right} / ${refused} / ${wrong}`,
      one.lost,
      `${Math.round(one.writesBefore)} / ${Math.round(one.writesDuring)}`,
      ms(one.pauseMs),
      ms(one.healMs),
    ]);
  });
  const told = incidents
    .filter((one) => one.told !== "")
    .map((one) => `- ${one.name}: ${one.told}`);
  const lies = incidents.flatMap((one) => one.lies.map((lie) => `- ${one.name}: answered ${lie}`));
  return [
    line(head),
    line(head.map(() => "---")),
    ...rows,
    "",
    "What the member told:",
    "",
    ...told,
    ...lies,
  ].join("\n");
}
