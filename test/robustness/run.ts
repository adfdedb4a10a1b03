/**
 * `npm run fuzz -- [--minutes 30] [--seed n] [--keys 5000] [--heap MB] [--width 8] [--report folder]`:
 * the long form of fuzz.test.ts. Prints how often each pair of calls overlapped. Exits 1 on a violation,
 * and keeps logs and data then. `--calls a,b` and `--faults a,b` draw these alone ("none": none).
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runSeed } from "../support/seeded-rng.js";
import { fuzz } from "./fuzz.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string" },
    keys: { type: "string", default: "5000" },
    heap: { type: "string" },
    width: { type: "string", default: "8" },
    calls: { type: "string" },
    faults: { type: "string" },
    report: { type: "string" },
  },
});
const seed = values.seed === undefined ? runSeed() : Number(values.seed);
const folder = values.report ?? mkdtempSync(join(tmpdir(), "lockstep-fuzz-"));
console.log(`seed ${seed}, folder ${folder}`);
const result = await fuzz({
  seed,
  durationMs: Number(values.minutes) * 60_000,
  keys: Number(values.keys),
  heapMb: values.heap === undefined ? undefined : Number(values.heap),
  width: Number(values.width),
  calls: values.calls?.split(","),
  faults: values.faults?.split(","),
  faultEveryMs: 500,
  folder,
  report: (line) => console.log(line),
});
console.log(`\n${result.table}\n`);
for (const violation of result.violations) console.log(`VIOLATION ${violation}`);
const { calls, acknowledged, violations } = result;
const verdict = violations.length === 0 ? "passed" : `FAILED (${violations.length})`;
console.log(`${verdict}: ${calls} calls, ${acknowledged} acknowledged puts, seed ${seed}`);
process.exit(violations.length === 0 ? 0 : 1);
