/** The verdicts of porcupine's own histories. bench/linearizability.ts measures the speed. */
import { describe, expect, test } from "vitest";
import { checkCalls } from "./check-calls.js";
import { kvModel } from "./kv-model.js";
import { readJepsenLog } from "./readers/jepsen-reader.js";
import {
  absentTitle,
  corpusFiles,
  isCorpusPresent,
  readCorpusFile,
} from "./readers/porcupine-corpus.fixture.js";
import { readPorcupineKv } from "./readers/porcupine-reader.js";
import { registerModel } from "./register-model.js";

function verdictOf(name: string): string {
  const text = readCorpusFile(name);
  if (name.startsWith("kv/")) return checkCalls(readPorcupineKv(text), kvModel).verdict;
  return checkCalls(readJepsenLog(text), registerModel).verdict;
}

if (!isCorpusPresent) {
  test.skip(absentTitle, () => {});
} else {
  describe("porcupine's verdicts", () => {
    const files = corpusFiles();

    test("both kinds are there", () => {
      expect(files.filter(({ isLinearizable }) => isLinearizable).length).toBeGreaterThanOrEqual(
        12,
      );
      expect(files.filter(({ isLinearizable }) => !isLinearizable).length).toBeGreaterThanOrEqual(
        43,
      );
    });

    test.each(files)("$name", ({ name, isLinearizable }) => {
      expect(verdictOf(name)).toBe(isLinearizable ? "linearizable" : "not");
    });
  });
}
