/**
 * How long the etcd checker takes on a long history, and how much memory: 100,000 operations of
 * 30 clients, 1 % of them without an answer, as clients of an atomic store see it; then the same
 * with one false answer in its middle, which must be found. Each runs in a process of its own, so
 * that its memory is its own (the history included). Exit code 1: a verdict is wrong.
 *
 *   npx tsx bench/etcd-history.ts [seed] [operations]
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { checkEtcdHistory } from "../src/verify/linearizability/etcd/check.js";
import {
  type Bug,
  generateEtcdHistory,
} from "../src/verify/linearizability/etcd/fixtures/history-generator.fixture.js";

const bugs = ["none", "staleRead", "lostWrite", "duplicateRevision"] as const;
const seed = Number(process.argv[2] ?? 1);
const operations = Number(process.argv[3] ?? 100_000);
const only = process.argv[4];

function run(kind: (typeof bugs)[number]): boolean {
  const bug = kind === "none" ? {} : { bug: { kind, from: operations / 2 } as Bug };
  const shape = { clients: 30, keys: 30, unknownPerMille: 10 };
  const { history, brokenId } = generateEtcdHistory({ seed, operations, ...shape, ...bug });
  const begunCpu = process.cpuUsage();
  const begunMs = performance.now();
  const verdict = checkEtcdHistory(history);
  const elapsedMs = Math.round(performance.now() - begunMs);
  const cpuMs = Math.round(process.cpuUsage(begunCpu).user / 1000);
  const peakMib = Math.round(process.resourceUsage().maxRSS / 1024);
  const broken = brokenId === undefined ? "" : `, operation ${brokenId} is false`;
  console.log(
    `${kind}${broken}: ${verdict.verdict} in ${elapsedMs} ms (${cpuMs} ms of CPU), ${peakMib} MiB`,
  );
  if (verdict.verdict !== "linearizable") console.log(`  ${verdict.reason}`);
  return verdict.verdict === (kind === "none" ? "linearizable" : "not");
}

if (only !== undefined) {
  process.exitCode = bugs.some((kind) => kind === only && run(kind)) ? 0 : 1;
} else {
  for (const kind of bugs) {
    const args = [fileURLToPath(import.meta.url), `${seed}`, `${operations}`, kind];
    const child = spawnSync(process.execPath, [...process.execArgv, ...args], { stdio: "inherit" });
    if (child.status !== 0) process.exitCode = 1;
  }
}
