/**
 * Writes the history of a run as `lockstep torture` records it, so that its judge can be measured
 * alone: 300,000 operations (60 s at 5,000/s) of 48 clients at 64 keys, 1 in 1,000 without an answer,
 * with 6 watches, as clients of an atomic store see it.
 *
 *   npx tsx bench/torture-history.ts FILE [operations] [seed]
 *   /usr/bin/time -v node bin/lockstep check FILE
 */
import fs from "node:fs";
import { historyLines } from "../src/verify/history/history-file.js";
import { generateEtcdHistory } from "../src/verify/linearizability/etcd/fixtures/history-generator.fixture.js";

const [file, operations = "300000", seed = "1"] = process.argv.slice(2);
if (file === undefined) throw new Error("name the file to write");
const { history } = generateEtcdHistory({
  ...{ seed: Number(seed), operations: Number(operations) },
  ...{ clients: 48, keys: 64, unknownPerMille: 1, watches: 6 },
});
const out = fs.openSync(file, "w");
for (const line of historyLines(history)) fs.writeSync(out, line);
fs.closeSync(out);
