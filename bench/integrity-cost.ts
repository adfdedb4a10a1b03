/**
 * What care for integrity costs a put: this build against a copy of it in which the monitor records,
 * tells and compares nothing and rows get no check value, in turn under the same load. Medians of the
 * pairs, and CPU time, which other work on the machine disturbs less. The digests stay in both: the
 * state is built on them. Options: --runs <n>, --requests <n>. Needs h2load.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildMutant } from "../src/cli/mutants/mutant-build.js";
import { FingerprintRing, ringSize } from "../src/integrity/fingerprint-ring.js";
import { projectRoot } from "../test/support/server-kind.js";
import { median } from "./record/figures.js";
import { describeMachine } from "./record/machine.js";
import { putScenario } from "./scenarios/one-request.js";
import { type Measurement, measure, type Scenario } from "./scenarios/scenario.js";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    requests: { type: "string", default: "40000" },
  },
});
const runs = Number(values.runs);

const dist = join(projectRoot, "dist");
const without = await buildMutant(
  {
    id: "no-integrity",
    title: "nothing is recorded, told, compared or checked",
    origin: "bench",
    conditions: "none",
    caughtBy: [],
    patches: [
      {
        in: "IntegrityMonitor.#record",
        begin: "RAN(); return;",
      },
      {
        in: "checkValue",
        begin: "return 0;",
      },
    ],
  },
  dist,
);
const commands = {
  on: `${process.execPath} ${join(dist, "cli", "main.js")} server`,
  off: `${process.execPath} ${without.main} server`,
} as const;
type Variant = keyof typeof commands;

async function run(variant: Variant, scenario: Scenario): Promise<Measurement> {
  process.env.LOCKSTEP_COMMAND = commands[variant];
  return measure("lockstep", scenario);
}

function ringBytes(): number {
  const before = process.memoryUsage().arrayBuffers;
  const rings = Array.from({ length: 16 }, () => new FingerprintRing());
  const bytes = (process.memoryUsage().arrayBuffers - before) / rings.length;
  return rings.every(({ last }) => last === 0) ? bytes : 0;
}

async function compare(scenario: Scenario): Promise<string> {
  const all: Record<Variant, Measurement[]> = { on: [], off: [] };
  const ratios: number[] = [];
  for (let pair = 0; pair < runs; pair++) {
    // Who is first changes, so that a machine that grows slower does so for both.
    const order: readonly Variant[] = pair % 2 === 0 ? ["on", "off"] : ["off", "on"];
    for (const variant of order) all[variant].push(await run(variant, scenario));
    const [on, off] = [all.on.at(-1)?.perSecond ?? 0, all.off.at(-1)?.perSecond ?? 1];
    ratios.push(on / off);
    console.error(`${scenario.name}: on ${Math.round(on)}/s, off ${Math.round(off)}/s`);
  }
  const cell = (variant: Variant): string => {
    const cpu = median(all[variant].map((one) => (one.cpuSeconds / one.count) * 1e6));
    return `${Math.round(median(all[variant].map((one) => one.perSecond)))} | ${cpu.toFixed(1)}`;
  };
  const best = Math.max(...all.on.map((one) => one.perSecond));
  const bestOff = Math.max(...all.off.map((one) => one.perSecond));
  const shown = `${median(ratios).toFixed(3)} | ${(best / bestOff).toFixed(3)}`;
  return `| ${scenario.name} | ${cell("on")} | ${cell("off")} | ${shown} |`;
}

const rows: string[] = [];
try {
  for (const members of [1, 3] as const) {
    rows.push(await compare(putScenario(members, [100, 10], Number(values.requests))));
  }
} finally {
  without.remove();
}
console.log(`${describeMachine()}; ${runs} pairs\n`);
console.log(
  "| what | on /s | CPU µs each | off /s | CPU µs each | median of ratios | best on / best off |",
);
console.log(`|${" --- |".repeat(7)}`);
console.log(rows.join("\n"));
console.log(`\nproof ring: ${ringSize} indexes, ${(ringBytes() / 1_024).toFixed(0)} KiB a member`);
