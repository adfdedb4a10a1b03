/**
 * How long the histories of porcupine take, in one process, from reading the file to the verdict:
 *
 *   npx tsx bench/linearizability.ts [runs]
 *
 * The limit: porcupine itself (Go) needs about 0.6 s for its whole short suite on such a machine; the
 * first run here, with a compiler that is still cold, must stay within twice that.
 */
import { checkCalls } from "../src/verify/linearizability/check-calls.js";
import { readJepsenLog } from "../src/verify/linearizability/jepsen-reader.js";
import { kvModel } from "../src/verify/linearizability/kv-model.js";
import {
  absentTitle,
  corpusFiles,
  isCorpusPresent,
  readCorpusFile,
} from "../src/verify/linearizability/porcupine-corpus.fixture.js";
import { readPorcupineKv } from "../src/verify/linearizability/porcupine-reader.js";
import { registerModel } from "../src/verify/linearizability/register-model.js";

const limitMs = 1_200;
const runs = Number(process.argv[2] ?? 3);

function check(name: string) {
  const text = readCorpusFile(name);
  if (name.startsWith("kv/")) return checkCalls(readPorcupineKv(text), kvModel);
  return checkCalls(readJepsenLog(text), registerModel);
}

function measure(isTold: boolean): number {
  let totalMs = 0;
  for (const { name, isLinearizable } of corpusFiles()) {
    const startMs = performance.now();
    const { verdict, steps, configurations } = check(name);
    const spentMs = performance.now() - startMs;
    totalMs += spentMs;
    const isRight = (verdict === "linearizable") === isLinearizable && verdict !== "unknown";
    if (!isRight) process.exitCode = 1;
    if (!isTold && isRight) continue;
    const cells = [name.padEnd(20), `${spentMs.toFixed(1)} ms`.padStart(10)];
    const counts = `${steps} steps, ${configurations} configurations`;
    console.log(`${cells.join(" ")}  ${verdict}${isRight ? "" : " WRONG"} (${counts})`);
  }
  return totalMs;
}

if (!isCorpusPresent) {
  console.log(absentTitle);
} else {
  for (let run = 1; run <= runs; run++) {
    const totalMs = measure(run === 1);
    console.log(
      `run ${run}: ${totalMs.toFixed(0)} ms in all; the limit for run 1 is ${limitMs} ms`,
    );
  }
}
