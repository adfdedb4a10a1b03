/**
 * How long it takes to grant very many leases, 500 at a time, and what processor time the members
 * use for it. Options: --leases <n>, --members <n>, --servers etcd35,lockstep.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { complete } from "../src/cli/ctl/method.js";
import { LeaseGrantRequest } from "../src/wire/gen/rpc.js";
import { Cluster } from "../test/support/cluster.js";
import type { ServerKind } from "../test/support/server-kind.js";
import { runLoad } from "./load/h2load.js";
import { describeMachine } from "./record/machine.js";

const { values } = parseArgs({
  options: {
    leases: { type: "string", default: "100000" },
    members: { type: "string", default: "3" },
    servers: { type: "string", default: "etcd35,lockstep" },
  },
});
const message = LeaseGrantRequest.encode(complete(LeaseGrantRequest, { TTL: 600n })).finish();
/** In /proc/PID/stat of Linux times are in hundredths of a second. */
const ticksPerSecond = 100;

function cpuSeconds({ members }: Cluster): number {
  let ticks = 0;
  for (const { process } of members) {
    const fields = readFileSync(`/proc/${process.pid}/stat`, "utf8").split(" ");
    ticks += Number(fields[13]) + Number(fields[14]);
  }
  return ticks / ticksPerSecond;
}

async function run(kind: ServerKind): Promise<string> {
  const cluster = await Cluster.start({ kind, size: Number(values.members), flags: [] });
  try {
    const { endpoint } = await cluster.leader();
    const cpuBefore = cpuSeconds(cluster);
    const startedMs = performance.now();
    await runLoad({
      ...{ endpoint, path: "/etcdserverpb.Lease/LeaseGrant", message },
      ...{ requests: Number(values.leases), connections: 20, streams: 25 },
    });
    const seconds = (performance.now() - startedMs) / 1_000;
    const metrics = await (await fetch(`http://${endpoint}/metrics`)).text();
    const granted = /lease_granted_total (\d\S*)/.exec(metrics)?.[1];
    const cpu = cpuSeconds(cluster) - cpuBefore;
    return `${kind}: ${granted} leases granted in ${seconds.toFixed(1)} s, ${cpu.toFixed(1)} s of CPU`;
  } finally {
    await cluster.dispose();
  }
}

console.log(describeMachine());
for (const kind of values.servers.split(",")) console.log(await run(kind as ServerKind));
