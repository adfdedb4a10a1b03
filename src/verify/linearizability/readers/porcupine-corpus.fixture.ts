/**
 * Histories of porcupine (MIT) with their verdicts. They are beside the project, not in it. Tests
 * that need them say so clearly when they are absent.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const projectRoot = fileURLToPath(new URL("../../../..", import.meta.url));
const corpusRoot = path.resolve(projectRoot, "..", "shared", "conformance", "porcupine");

export const isCorpusPresent = existsSync(corpusRoot);
export const absentTitle =
  "SKIPPED: the histories of porcupine are not at ../shared/conformance/porcupine";

export interface CorpusFile {
  readonly name: string;
  readonly isLinearizable: boolean;
}

/** The table of verdicts: a header, then name and yes or no. */
export function corpusFiles(): readonly CorpusFile[] {
  const [, ...rows] = readCorpusFile("expected.tsv").trimEnd().split("\n");
  return rows.map((row) => {
    const [name, verdict] = row.split("\t") as [string, string];
    if (verdict !== "yes" && verdict !== "no") throw new Error(`verdict "${verdict}" of ${name}`);
    return { name, isLinearizable: verdict === "yes" };
  });
}

export function readCorpusFile(name: string): string {
  return readFileSync(path.join(corpusRoot, name), "utf8");
}
