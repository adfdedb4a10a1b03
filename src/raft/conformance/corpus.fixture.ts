/**
 * The scenario files of etcd-io/raft (Apache-2.0). They lie beside the project and not in it. The
 * suites that read them say so, and skip when the files are absent.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Case, parseCases } from "./datadriven.fixture.js";

const projectRoot = fileURLToPath(new URL("../../..", import.meta.url));
const corpusRoot = path.resolve(projectRoot, "..", "shared", "conformance", "etcd-raft");

export const isCorpusPresent = existsSync(corpusRoot);
export const absentTitle =
  "SKIPPED: the scenario files of etcd-io/raft are not at ../shared/conformance/etcd-raft";

/** The cases of each file of one suite, by file name without extension. */
export function readSuite(suite: string): ReadonlyMap<string, readonly Case[]> {
  const folder = path.join(corpusRoot, suite);
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .sort();
  return new Map(
    names.map((name) => [
      name.slice(0, -".txt".length),
      parseCases(readFileSync(path.join(folder, name), "utf8")),
    ]),
  );
}

export function readProjectFile(relativePath: string): string {
  return readFileSync(path.join(projectRoot, relativePath), "utf8");
}
