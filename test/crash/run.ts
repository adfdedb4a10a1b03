/**
 * The long run: 40 rounds with three members, then 40 with one. LOCKSTEP_SEED repeats a
 * run, LOCKSTEP_CRASH_ROUNDS sets its length. Exits 1 at the first finding.
 */
import { runSeed } from "../support/seeded-rng.js";
import { subject } from "../support/server-kind.js";
import { crashRounds } from "./rounds.js";

const seed = runSeed();
const rounds = Number(process.env.LOCKSTEP_CRASH_ROUNDS ?? 40);
for (const size of [3, 1]) {
  const tornTailPercent = subject === "lockstep" ? 20 : 0;
  const report = (line: string): void => console.log(line);
  await crashRounds({ kind: subject, size, rounds, writers: 200, seed, tornTailPercent, report });
}
console.log(`passed: ${2 * rounds} rounds, LOCKSTEP_SEED=${seed}`);
