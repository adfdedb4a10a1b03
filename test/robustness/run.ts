/**
 * `npm run fuzz -- [--minutes 30] [--seed n] [--keys 5000] [--heap MB] [--width 12] [--report folder]`:
 * the long form of fuzz.test.ts. Prints how often each pair of calls overlapped. Exits 1 on a violation,
 * and keeps logs and data then. Exits 3 if a run of 30 minutes or more found nothing, but a pair overlapped
 * less often than `--overlaps` (20) times. `--calls a,b` and `--faults a,b` draw these alone ("none": none).
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
    width: { type: "string", default: "12" },
    overlaps: { type: "string", default: "20" },
    calls: { type: "string" },
    faults: { type: "string" },
    report: { type: "string" },
  },
});
/** A run of this length is meant to have met every pair. */
const fullMinutes = 30;
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
  faults: values.faults?.split(",").filter((name) => name !== "none"),
  overlapsWanted: Number(values.overlaps),
  faultEveryMs: 250,
  folder,
  report: (line) => console.log(line),
});
console.log(`\n${result.table}\n`);
for (const violation of result.violations) console.log(`VIOLATION ${violation}`);
const { calls, acknowledged, violations, thin } = result;
if (thin.length > 0) {
  console.log(`${thin.length} pairs overlapped less than ${values.overlaps} times:`);
  console.log(`  ${thin.join("\n  ")}`);
}
const isThin = thin.length > 0 && Number(values.minutes) >= fullMinutes;
const verdict =
  violations.length > 0 ? `FAILED (${violations.length})` : isThin ? "TOO FEW OVERLAPS" : "passed";
console.log(`${verdict}: ${calls} calls, ${acknowledged} acknowledged puts, seed ${seed}`);
process.exit(violations.length > 0 ? 1 : isThin ? 3 : 0);
