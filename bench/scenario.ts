/**
 * What is measured, and one measurement: a fresh cluster, a warm-up, the load, and the proof that
 * every request did what it asked (revision advanced by the number of puts, every range answered
 * with the value).
 */
import { PutRequest, RangeRequest } from "../src/wire/gen/rpc.js";
import { complete } from "../test/support/client.js";
import { Cluster, type ClusterMember } from "../test/support/cluster.js";
import type { ServerKind } from "../test/support/server-kind.js";
import { runFanOut } from "./fan-out.js";
import { type LoadPlan, type LoadResult, runLoad } from "./h2load.js";

export interface Scenario {
  readonly name: string;
  readonly members: 1 | 3;
  readonly kind: "put" | "range" | "watch";
  readonly connections: number;
  readonly streams: number;
  /** Puts, ranges, or events that arrive. */
  readonly requests: number;
}

export interface Measurement extends LoadResult {
  readonly server: ServerKind;
  readonly requests: number;
  /** Of all members together, during the load. */
  readonly cpuSeconds: number;
  /** The largest of the members, since its start. */
  readonly peakRssBytes: number;
}

const KEY = Buffer.from("bench");
const VALUE = Buffer.alloc(256, "v");
const WATCHERS = 100;

function loads(members: 1 | 3, scale: number): Scenario[] {
  const on = members === 1 ? "1 member" : "3 members";
  const scenario = (
    kind: "put" | "range",
    connections: number,
    streams: number,
    requests: number,
  ): Scenario => ({
    name: `${kind === "put" ? "put" : "linearizable range"}, ${on}, ${connections}x${streams}`,
    members,
    kind,
    connections,
    streams,
    requests: Math.round(requests * scale),
  });
  return [
    scenario("put", 20, 1, 60_000),
    scenario("put", 100, 10, 150_000),
    scenario("range", 20, 1, 80_000),
    scenario("range", 100, 10, 250_000),
  ];
}

export function scenarios(isQuick: boolean): readonly Scenario[] {
  const scale = isQuick ? 0.2 : 1;
  const watch: Scenario = {
    name: `watch, 1 member, ${WATCHERS} watchers of one key`,
    members: 1,
    kind: "watch",
    connections: 5,
    streams: WATCHERS / 5,
    requests: Math.round(2_000 * scale) * WATCHERS,
  };
  return [...loads(1, scale), ...loads(3, scale), watch];
}

async function revision(member: ClusterMember): Promise<number> {
  const { header } = await member.client.range({ key: KEY });
  return Number(header?.revision);
}

function loadPlan(scenario: Scenario, endpoint: string): LoadPlan {
  const { connections, streams, requests } = scenario;
  const isPut = scenario.kind === "put";
  const message = isPut
    ? PutRequest.encode(complete(PutRequest, { key: KEY, value: VALUE })).finish()
    : RangeRequest.encode(complete(RangeRequest, { key: KEY })).finish();
  const path = isPut ? "/etcdserverpb.KV/Put" : "/etcdserverpb.KV/Range";
  return { endpoint, path, message, connections, streams, requests };
}

async function load(scenario: Scenario, leader: ClusterMember): Promise<LoadResult> {
  if (scenario.kind === "watch") {
    const burstPuts = scenario.requests / WATCHERS;
    const { endpoint } = leader;
    return runFanOut({ endpoint, watchers: WATCHERS, singlePuts: 200, burstPuts });
  }
  const plan = loadPlan(scenario, leader.endpoint);
  const before = await revision(leader);
  const result = await runLoad(plan);
  const advanced = (await revision(leader)) - before;
  const expected = scenario.kind === "put" ? scenario.requests : 0;
  if (advanced !== expected) {
    throw new Error(`${scenario.name}: revision advanced by ${advanced}, not ${expected}`);
  }
  const leastBytes = scenario.kind === "put" ? 5 : VALUE.length;
  if (result.answerBytes < leastBytes * scenario.requests) {
    throw new Error(`${scenario.name}: answers of ${result.answerBytes} bytes hold errors`);
  }
  return result;
}

export async function measure(server: ServerKind, scenario: Scenario): Promise<Measurement> {
  const cluster = await Cluster.start({ kind: server, size: scenario.members });
  try {
    const leader = await cluster.leader();
    await leader.client.put({ key: KEY, value: VALUE });
    if (scenario.kind !== "watch") {
      await runLoad({ ...loadPlan(scenario, leader.endpoint), requests: scenario.requests / 10 });
    }
    const cpu = (): number =>
      cluster.members.reduce((sum, { process }) => sum + process.cpuSeconds(), 0);
    const cpuBefore = cpu();
    const result = await load(scenario, leader);
    const peaks = cluster.members.map(({ process }) => process.memory().peakBytes);
    return {
      ...result,
      server,
      requests: scenario.requests,
      cpuSeconds: cpu() - cpuBefore,
      peakRssBytes: Math.max(...peaks),
    };
  } finally {
    await cluster.dispose();
  }
}
