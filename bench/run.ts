/**
 * `npm run bench`: etcd 3.5.16 and lockstep in turn under the same load, medians of five runs, one
 * table with ratios. Options: --only <part of a name> (several: separated by ";"), --quick (a fifth
 * of the requests, one run, without the scenarios that take minutes), --runs <n>,
 * --servers etcd35,lockstep, --list, --record (writes docs/performance.md and its plots),
 * --profile <folder> (CPU profiles of lockstep's members there, for tools/profile-shares.mjs).
 * `--only large` makes large requests instead (large/large.ts), with --keys <n> and --rows <part of
 * a name>. Needs h2load (Debian: nghttp2-client).
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { projectRoot, type ServerKind } from "../test/support/server-kind.js";
import { largeTable, measureLarge } from "./large/large.js";
import { type Row, rowOf } from "./record/figures.js";
import { describeMachine } from "./record/machine.js";
import { record } from "./record/page.js";
import { goalTable, table } from "./record/table.js";
import { scenarios } from "./scenarios/all.js";
import { type Measurement, measure, type Scenario } from "./scenarios/scenario.js";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    quick: { type: "boolean", default: false },
    runs: { type: "string" },
    servers: { type: "string", default: "etcd35,lockstep" },
    list: { type: "boolean", default: false },
    profile: { type: "string", default: "" },
    record: { type: "boolean", default: false },
    keys: { type: "string", default: "1000000" },
    rows: { type: "string", default: "" },
  },
});
const servers = values.servers.split(",") as ServerKind[];
const scale = values.quick ? 0.2 : 1;
if (values.profile !== "") {
  const launcher = join(projectRoot, "bin", "lockstep");
  const folder = resolve(values.profile);
  process.env.LOCKSTEP_COMMAND = `${process.execPath} --cpu-prof --cpu-prof-dir=${folder} ${launcher} server`;
}
const runs = Number(values.runs ?? (values.quick ? 1 : 5));

const names = new Set(scenarios.map(({ name }) => name));

/** A part that is a whole name means that scenario alone. */
function isChosen({ name, isLong }: Scenario): boolean {
  if (values.only === "") return !(values.quick && isLong === true);
  return values.only
    .split(";")
    .some((part) => name === part || (!names.has(part) && name.includes(part)));
}

async function measureAll(scenario: Scenario): Promise<Row> {
  const measured = new Map<string, Measurement[]>(servers.map((server) => [server, []]));
  for (let run = 0; run < (scenario.isLong === true ? 1 : runs); run++) {
    // In turn, so that a machine that grows slower or faster does so for both.
    for (const server of servers) {
      const one = await measure(server, scenario, { scale, isStopped: values.profile !== "" });
      measured.get(server)?.push(one);
      const [rate, p99] = [Math.round(one.perSecond), one.p99Ms.toFixed(2)];
      console.error(`${scenario.name}: ${server} ${rate}/s, p99 ${p99} ms`);
    }
  }
  const day = new Date().toLocaleDateString("en-GB", { dateStyle: "long" });
  return rowOf(scenario, measured, { day, scale });
}

async function measureChosen(chosen: readonly Scenario[]): Promise<void> {
  const machine = describeMachine();
  console.log(machine);
  const rows: Row[] = [];
  for (const scenario of chosen) {
    rows.push(await measureAll(scenario));
    if (values.record) record(rows, machine, [...names]);
  }
  console.log(`\n${table(rows)}\n\n${goalTable(rows)}`);
}

const chosen = scenarios.filter(isChosen);
if (values.only === "large") {
  console.log(describeMachine());
  const [keys, isStopped] = [Number(values.keys), values.profile !== ""];
  const results = await measureLarge({ servers, keys, rows: values.rows, isStopped });
  console.log(`\n${largeTable(results)}`);
  process.exit();
} else if (chosen.length === 0) {
  throw new Error(`--only: no scenario is named like "${values.only}"; --list shows the names`);
} else if (values.list) {
  for (const { name } of chosen) console.log(name);
} else await measureChosen(chosen);
