/**
 * How long the histories of porcupine take, in one process, from reading the file to the verdict:
 *
 *   npx tsx bench/linearizability.ts [runs]
 *
 * The limit: porcupine itself (Go) needs about 0.6 s for its whole short suite on such a machine; the
 * first run here, with a compiler that is still cold, must stay within twice that.
 */

import { fnv1a } from "../src/base/fnv1a.js";
import { checkCalls } from "../src/verify/linearizability/check-calls.js";
import {
  type KvInput,
  type KvOutput,
  type KvState,
  kvModel,
} from "../src/verify/linearizability/kv-model.js";
import type { Model } from "../src/verify/linearizability/model.js";
import { readJepsenLog } from "../src/verify/linearizability/readers/jepsen-reader.js";
import {
  absentTitle,
  corpusFiles,
  isCorpusPresent,
  readCorpusFile,
} from "../src/verify/linearizability/readers/porcupine-corpus.fixture.js";
import { readPorcupineKv } from "../src/verify/linearizability/readers/porcupine-reader.js";
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

/** All keys as one object: what partitioning saves, and how far the search comes without it. */
const unpartitioned: Model<ReadonlyMap<string, KvState>, KvInput, KvOutput> = {
  init: new Map(),
  step: (state, input, output) => {
    const before = state.get(input.key) ?? kvModel.init;
    const after = kvModel.step(before, input, output);
    if (after === undefined || after === before) return after && state;
    return new Map(state).set(input.key, after);
  },
  hash: (state) => {
    let hash = 0;
    for (const [key, { hash: one }] of state) hash ^= Math.imul(one, fnv1a(key) | 1);
    return hash;
  },
  equals: (left, right) =>
    left.size === right.size &&
    [...left].every(([key, one]) => {
      const other = right.get(key);
      return other === one || (other !== undefined && kvModel.equals(one, other));
    }),
  stateBytes: (state) => 64 + 48 * state.size,
  isRead: (input) => input.kind === "get",
};

function measureUnpartitioned(name: string): void {
  const startMs = performance.now();
  const { verdict, configurations } = checkCalls(
    readPorcupineKv(readCorpusFile(name)),
    unpartitioned,
  );
  const spentMs = (performance.now() - startMs).toFixed(0);
  console.log(`${name} as one object: ${verdict}, ${spentMs} ms, ${configurations} configurations`);
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
  // porcupine's source says 90 s and 60 s of these, and leaves them out of its short suite.
  for (const name of ["kv/c10-ok.txt", "kv/c10-bad.txt"]) measureUnpartitioned(name);
}
