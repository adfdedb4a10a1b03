/**
 * The interaction scenarios of etcd-io/raft, compared line by line without the log lines of the
 * library. A file that differs is listed with its reason, here and in docs/raft-conformance.md; a
 * listed file that starts to match must be taken off the list.
 */
import { describe, expect, test } from "vitest";
import { absentTitle, isCorpusPresent, readProjectFile, readSuite } from "./corpus.fixture.js";
import type { Case } from "./datadriven.fixture.js";
import { InteractionEnvironment } from "./interaction-environment.fixture.js";

/** By file: why it differs. */
const expectedDifferences: Readonly<Record<string, string>> = {};

const fileCount = 28;
const caseCount = 558;

/**
 * Drops log lines. An output that is empty afterwards reads like that of a command without output.
 */
function normalized(output: string): string {
  const lines = output.split("\n").filter((line) => !/^\s*(DEBUG|INFO|WARN|ERROR) /.test(line));
  const text = lines.join("\n").trimEnd();
  return text === "" ? "ok" : text;
}

function runFile(cases: readonly Case[]): { actual: string[]; expected: string[] } {
  const environment = new InteractionEnvironment();
  const at = ({ line, command }: Case) => `line ${line}: ${command}\n`;
  return {
    actual: cases.map((command) => at(command) + normalized(environment.run(command))),
    expected: cases.map((command) => at(command) + normalized(command.expected)),
  };
}

if (!isCorpusPresent) {
  test.skip(absentTitle, () => {});
} else {
  const suite = readSuite("interaction");

  describe("interaction scenarios of etcd-io/raft", () => {
    for (const [name, cases] of suite) {
      const isListed = name in expectedDifferences;
      test(`${name}${isListed ? " (differs as listed)" : ""}`, () => {
        const { actual, expected } = runFile(cases);
        if (isListed) expect(actual).not.toEqual(expected);
        else expect(actual).toEqual(expected);
      });
    }

    test("all files and cases are there", () => {
      expect(suite.size).toBe(fileCount);
      expect([...suite.values()].flat().length).toBe(caseCount);
    });

    test("every listed difference is explained in the documentation", () => {
      const page = readProjectFile("docs/raft-conformance.md");
      for (const name of Object.keys(expectedDifferences)) expect(page).toContain(name);
    });
  });
}
