/**
 * `npm run bench`: etcd 3.5 and lockstep in turn under the same load, one table. Options: --quick
 * (a fifth of the requests, one run each), --servers etcd35,lockstep, --only <part of a name>,
 * --runs <n>. Needs h2load (Debian: nghttp2-client). `--only large` makes large requests instead
 * (large/large.ts), with --keys <n> and --rows <part of a name>.
 */
import { parseArgs } from "node:util";
import type { ServerKind } from "../test/support/server-kind.js";
import { largeTable, measureLarge } from "./large/large.js";
import { describeMachine, type Row, table } from "./report.js";
import { type Measurement, measure, scenarios } from "./scenario.js";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    servers: { type: "string", default: "etcd35,lockstep" },
    only: { type: "string", default: "" },
    runs: { type: "string" },
    keys: { type: "string", default: "1000000" },
    rows: { type: "string", default: "" },
  },
});
const servers = values.servers.split(",") as ServerKind[];
const runs = Number(values.runs ?? (values.quick ? 1 : 3));

console.log(describeMachine());
if (values.only === "large") {
  const results = await measureLarge({ servers, keys: Number(values.keys), rows: values.rows });
  console.log(`\n${largeTable(results)}`);
  process.exit();
}
const rows: Row[] = [];
for (const scenario of scenarios(values.quick).filter(({ name }) => name.includes(values.only))) {
  const measured: Measurement[] = [];
  for (let run = 0; run < runs; run++) {
    // In turn, so that a machine that grows slower or faster does so for both.
    for (const server of servers) {
      const one = await measure(server, scenario);
      measured.push(one);
      console.error(`${scenario.name}: ${server} ${Math.round(one.perSecond)}/s`);
    }
  }
  rows.push({ scenario, runs: measured });
}
console.log(`\n${table(rows, servers)}`);
