/** What a scenario is, and one measurement of it: a fresh cluster, what it needs, a warm-up, the load. */
import { Cluster, type ClusterMember } from "../../test/support/cluster.js";
import type { ServerKind } from "../../test/support/server-kind.js";
import type { LoadResult } from "../load/latencies.js";

export interface Scenario {
  /** Unique; `--only` takes a part of it. */
  readonly name: string;
  readonly members: 1 | 3;
  /** What is counted: puts, calls, events or answers. */
  readonly requests: number;
  readonly flags?: readonly string[];
  /** Set for a scenario that takes minutes: it runs once, and `--quick` leaves it out. */
  readonly isLong?: boolean;
  /** Runs before the load and the warm-up, and is not measured. */
  prepare?(leader: ClusterMember): Promise<void>;
  /** @throws when an answer is not what was asked for */
  run(leader: ClusterMember, requests: number): Promise<LoadResult>;
}

export interface Measurement extends LoadResult {
  readonly server: ServerKind;
  /** CPU seconds of all members together, during the load. */
  readonly cpuSeconds: number;
  /** Resident memory of the largest member: after `prepare`, and the most since its start. */
  readonly preparedRssBytes: number;
  readonly peakRssBytes: number;
}

/** With 1.5 GiB of data, etcd's default quota would be reached. */
export const roomyFlags: readonly string[] = ["--quota-backend-bytes=17179869184"];
/** The warm-up: this share of the requests, but as many as compilers need, if there are so many. */
const warmUpShare = 0.1;
const warmUpMin = 3_000;

export interface MeasureOptions {
  /** Share of the scenario's requests; default 1. */
  readonly scale?: number;
  /** Ends the members by SIGTERM, so that they write their profiles; otherwise they are killed. */
  readonly isStopped?: boolean;
}

export async function measure(
  server: ServerKind,
  scenario: Scenario,
  options: MeasureOptions = {},
): Promise<Measurement> {
  const { scale = 1, isStopped = false } = options;
  const flags = scenario.flags ?? [];
  const cluster = await Cluster.start({ kind: server, size: scenario.members, flags });
  try {
    const leader = await cluster.leader();
    await scenario.prepare?.(leader);
    const memories = (of: (member: ClusterMember) => number): number =>
      Math.max(...cluster.members.map(of));
    const preparedRssBytes = memories(({ process }) => process.memory().rssBytes);
    const requests = Math.round(scenario.requests * scale);
    await scenario.run(
      leader,
      Math.min(requests, Math.max(warmUpMin, Math.ceil(requests * warmUpShare))),
    );
    const cpu = (): number =>
      cluster.members.reduce((sum, { process }) => sum + process.cpuSeconds(), 0);
    const cpuBefore = cpu();
    const result = await scenario.run(leader, requests);
    const cpuSeconds = cpu() - cpuBefore;
    const peakRssBytes = memories(({ process }) => process.memory().peakBytes);
    return { ...result, server, cpuSeconds, preparedRssBytes, peakRssBytes };
  } finally {
    if (isStopped) await Promise.all(cluster.members.map((member) => member.stop()));
    await cluster.dispose();
  }
}

/** "1 member", "3 members" */
export function onMembers(members: 1 | 3): string {
  return members === 1 ? "1 member" : "3 members";
}
