/** Writes rows of figures as Markdown: each cell is "etcd → lockstep", then the ratios follow. */

import type { Figures, Row } from "./figures.js";
import { goals } from "./goals.js";

const first = "etcd35";
const second = "lockstep";

const whole = (value: number): string => Math.round(value).toLocaleString("en");
const fine = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(0));

interface Column {
  readonly title: string;
  readonly text: (of: Figures) => string;
}

const columns: readonly Column[] = [
  { title: "/s", text: (of) => whole(of.perSecond) },
  { title: "p50 ms", text: (of) => fine(of.p50Ms) },
  { title: "p99 ms", text: (of) => fine(of.p99Ms) },
  { title: "p99.9 ms", text: (of) => fine(of.p999Ms) },
  { title: "longest ms", text: (of) => fine(of.maxMs) },
  { title: "CPU µs each", text: (of) => of.cpuUs.toFixed(1) },
  { title: "peak MiB", text: (of) => whole(of.peakMiB) },
];

/** One row a scenario. With a single server there are no ratios. */
export function table(rows: readonly Row[]): string {
  const ratios = ["rate", "p99", "CPU", "memory"];
  const titles = ["what", ...columns.map(({ title }) => title), ...ratios, "runs", "day"];
  const lines = rows.map((row) => {
    const all = Object.values(row.servers);
    const cells = columns.map(({ text }) => all.map(text).join(" → "));
    const day = row.scale === 1 ? row.day : `${row.day}, 1/${Math.round(1 / row.scale)}`;
    return [row.name, ...cells, ...ratioCells(row), `${row.runs}`, day];
  });
  return [titles, titles.map(() => "---"), ...lines]
    .map((line) => `| ${line.join(" | ")} |`)
    .join("\n");
}

function ratioCells({ servers }: Row): string[] {
  const [etcd, own] = [servers[first], servers[second]];
  if (etcd === undefined || own === undefined) return ["", "", "", ""];
  const ratio = (field: keyof Figures): string => (own[field] / etcd[field]).toFixed(2);
  return [ratio("perSecond"), ratio("p99Ms"), ratio("cpuUs"), ratio("peakMiB")];
}

/** Which goals hold, as far as their scenarios were measured. */
export function goalTable(rows: readonly Row[]): string {
  const byName = new Map(rows.map((row) => [row.name, row]));
  const lines = goals.map((goal) => {
    const found = goal.value((name) => byName.get(name)?.servers);
    const shown = found === undefined ? "not measured" : found.toFixed(2);
    const holds = found !== undefined && (goal.isUpper ? found <= goal.least : found >= goal.least);
    const reachesAim =
      found !== undefined && (goal.isUpper ? found <= goal.aim : found >= goal.aim);
    const verdict = found === undefined ? "" : reachesAim ? "aim" : holds ? "yes" : "no";
    const sign = goal.isUpper ? "≤" : "≥";
    return `| ${goal.title} | ${sign} ${goal.least} | ${sign} ${goal.aim} | ${shown} | ${verdict} |`;
  });
  return [
    "| work | at least | aim | measured | reached |",
    "| --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}
