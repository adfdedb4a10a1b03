/**
 * `--record`: keeps the figures in docs/performance/ and writes the generated part of
 * docs/performance.md from all that are kept there. So a part of the scenarios can be measured
 * anew; each row says its day. Figures of another Node have a file of their own.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../test/support/server-kind.js";
import type { Row } from "./figures.js";
import { growthLines, ratioBars } from "./plot.js";
import { goalTable, table } from "./table.js";

interface Kept {
  readonly machine: string;
  readonly command: string;
  readonly rows: readonly Row[];
}

const folder = join(projectRoot, "docs", "performance");
const page = join(projectRoot, "docs", "performance.md");
const begin = "<!-- npm run bench writes from here -->";
const end = "<!-- to here -->";

/** The command of this run. */
function commandLine(): string {
  const words = process.argv.slice(2).map((word) => (/[ ;]/.test(word) ? `"${word}"` : word));
  return ["npm run bench --", ...words].join(" ");
}

const nodeMajor = (): string => process.versions.node.split(".")[0] as string;

function read(node: string): Kept | undefined {
  const file = join(folder, `node-${node}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Kept) : undefined;
}

/** @param order the names of all scenarios, in the order of the table */
export function record(rows: readonly Row[], machine: string, order: readonly string[]): void {
  const node = nodeMajor();
  const all = new Map((read(node)?.rows ?? []).map((row) => [row.name, row]));
  for (const row of rows) all.set(row.name, row);
  const known = order.flatMap((name) => all.get(name) ?? []);
  const kept: Kept = { machine, command: commandLine(), rows: known };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `node-${node}.json`), `${JSON.stringify(kept, undefined, 1)}\n`);
  const plots = { rates: ratioBars(known), growth: growthLines(known) };
  for (const [name, svg] of Object.entries(plots)) {
    if (svg !== undefined) writeFileSync(join(folder, `${name}-node-${node}.svg`), svg);
  }
  writePage();
}

function writePage(): void {
  const nodes = ["20", "22", "24", "26"].filter((node) => read(node) !== undefined);
  const parts = nodes.map((node) => section(node, read(node) as Kept));
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no "${begin}" ... "${end}"`);
  const written = `${text.slice(0, from + begin.length)}\n\n${parts.join("\n\n")}\n\n${text.slice(to)}`;
  writeFileSync(page, written);
}

function section(node: string, { machine, command, rows }: Kept): string {
  const plot = (name: string, title: string): string[] =>
    existsSync(join(folder, `${name}-node-${node}.svg`))
      ? [`![${title}](performance/${name}-node-${node}.svg)`]
      : [];
  return [
    `### Node ${node}`,
    `The last run was \`${command}\`; ${machine}.`,
    goalTable(rows),
    table(rows),
    ...plot("rates", "Rates beside etcd"),
    ...plot("growth", "Put rate over the number of keys"),
  ].join("\n\n");
}
