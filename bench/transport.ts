/**
 * The transport alone: a server that answers every call with 40 octets, under h2load. What it costs
 * is what a call costs beside consensus, storage and everything else. Option: --requests <n>.
 */
import { parseArgs } from "node:util";
import { testListener } from "../src/grpc/listener.fixture.js";
import { startServer } from "../src/grpc/server.js";
import { nodeClock } from "../src/platform/node/clock.js";
import { runLoad } from "./load/h2load.js";
import { describeMachine } from "./record/machine.js";

const { values } = parseArgs({ options: { requests: { type: "string", default: "300000" } } });
const answer = Buffer.alloc(40, 1);
const server = startServer({
  listener: await testListener(),
  methods: [{ path: "/t.T/Ask", kind: "unary", handle: (_request, call) => call.respond(answer) }],
  http: (_request, response) => response.end(),
  maxReceiveBytes: 1_000_000,
  log: () => {},
  clock: nodeClock,
});

console.log(describeMachine());
console.log("\n| connections x streams | calls/s | CPU of the server, us each |\n|---|---|---|");
for (const [connections, streams] of [
  [100, 10],
  [20, 1],
  [1, 1_000],
] as const) {
  const plan = {
    endpoint: `127.0.0.1:${server.addresses[0]?.port}`,
    path: "/t.T/Ask",
    message: Buffer.alloc(20, 2),
    requests: Number(values.requests),
    connections,
    streams,
  };
  await runLoad({ ...plan, requests: 20_000 });
  const before = process.cpuUsage();
  const { perSecond } = await runLoad(plan);
  const { user, system } = process.cpuUsage(before);
  const each = (user + system) / plan.requests;
  console.log(`| ${connections}x${streams} | ${Math.round(perSecond)} | ${each.toFixed(1)} |`);
}
await server.close(0);
