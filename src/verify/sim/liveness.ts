/**
 * The end of a run: all faults are over, and every node is up again. Within a bounded time the
 * cluster must work as if nothing had happened. Otherwise the check names what is missing.
 */

import { KvError } from "../../base/errors.js";
import { noClient } from "../../member/gate/requests.js";
import type { SimClients } from "./clients/sim-clients.js";
import type { SimWatchers } from "./clients/sim-watchers.js";
import type { SimFaultDriver } from "./fault-driver.js";
import type { Operator } from "./operator.js";
import type { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

export interface LivenessParts {
  readonly cluster: SimCluster;
  readonly faults: SimFaultDriver;
  readonly operator: Operator;
  readonly clients: SimClients;
  readonly watchers: SimWatchers;
}

/** Virtual time in which the cluster must recover: several elections, restarts and replacements. */
const healMs = 60_000;
/** Milliseconds for a fresh write and a fresh read: a stop, a restart and an election fit in. */
const answerMs = 30_000;
/** Leases of a plan live at most 10 s; a new leader adds a little. */
const leaseMs = 30_000;
/** A watcher of a plan may stop reading for five seconds. */
const watchMs = 15_000;
/** One at each look at the clock would take longer than `leaseMs`. */
const leasesAtOnce = 80;
/** A lease id that no plan uses: plans use lower ids. */
const unknownLease = 999_999n;

/** Undefined if the cluster works, else the reason. */
export function heal(parts: LivenessParts): string | undefined {
  const { cluster, faults, operator, clients, watchers } = parts;
  const { clock, network } = cluster;
  clients.stop();
  network.calm();
  faults.healAll();
  for (const node of cluster.nodes) {
    clock.resume(node.place);
    node.skew.wallOffsetMs = Math.max(0, node.skew.wallOffsetMs);
    if (node.state === "down" && node.life > 0) operator.startLater(node, 0);
  }
  operator.hurry();
  let missing: string | undefined = "nothing was looked at";
  const isWell = (): boolean => {
    missing = missingNow(parts);
    return missing === undefined;
  };
  if (!until(cluster, isWell, healMs)) return isForOperator(cluster) ? undefined : missing;
  if (!answers(parts)) return "a fresh write and a fresh read are not answered";
  if (!failsOver(parts)) return "a renewal on its way to a leader that dies is not answered";
  if (!until(cluster, isWell, healMs)) return isForOperator(cluster) ? undefined : missing;
  grantMany(parts);
  const noLeases = (): boolean =>
    cluster.members().every((member) => [...member.machine.leases.all()].length === 0);
  if (!until(cluster, noLeases, leaseMs)) return "leases without a client do not expire";
  const isEven = (): boolean => isWell() && clients.pending === 0;
  if (!until(cluster, isEven, healMs)) return missing ?? "clients still wait for answers";
  watchers.requestProgress();
  const revision = cluster.leader()?.machine.kv.revision() ?? 0;
  const behind = (): string | undefined => {
    const lag = watchers
      .lags()
      .find(({ seen, watch }) => seen < revision && watch.revision <= revision);
    return lag === undefined
      ? undefined
      : `watch ${lag.watch.id} at ${lag.watch.member} has seen ${lag.seen} of ${revision}`;
  };
  if (!until(cluster, () => behind() === undefined, watchMs)) return behind();
  return undefined;
}

/** Grants leases that end in the same second. */
function grantMany({ cluster, clients }: LivenessParts): void {
  const leader = cluster.leaderNode();
  if (leader === undefined) return;
  for (let at = 1; at <= leasesAtOnce; at++) {
    const request = { kind: "leaseGrant", id: String(unknownLease + BigInt(at)), ttl: 2 } as const;
    clients.ask(leader, request, () => {});
  }
}

/**
 * The leader dies while a renewal, asked at a follower, is on its way to it. The next leader must
 * answer before the renewal's time is over.
 */
function failsOver({ cluster, operator }: LivenessParts): boolean {
  const leader = cluster.leaderNode();
  const { voters } = leader?.member?.machine.confState ?? { voters: [] };
  const nodes = voters.map((id) => cluster.nodeOf(id)).filter((node) => node?.isServing() === true);
  const asked = nodes.find((node) => node !== leader);
  if (leader === undefined || voters.length < 3 || nodes.length < voters.length) return true;
  let answer: { readonly ttl: number } | KvError | undefined;
  asked?.member?.leaseKeepAlive(noClient, unknownLease, (result) => {
    answer = result;
  });
  cluster.crash(leader, "kill");
  until(cluster, () => answer !== undefined, answerMs);
  operator.startLater(leader, 0);
  // A commit that failed before may end the asked member, too. Then nobody is there to answer.
  if (asked?.isServing() !== true) return true;
  return answer !== undefined && !(answer instanceof KvError);
}

/**
 * Two states of one index, each matching its digests, and the member that could decide is behind
 * the logs of both: it would have to get one of the two states. The cluster stops and waits for a
 * person (docs/operations/corrupt-cluster.md).
 */
function isForOperator(cluster: SimCluster): boolean {
  const leader = cluster.leader();
  if (leader === undefined) return false;
  const { confState } = leader.machine;
  const isStopped = leader.machine
    .alarms()
    .some(({ memberId, alarm }) => memberId === 0n && alarm === "CORRUPT");
  const first = leader.probe.log.firstIndex();
  const isBehind = cluster
    .members()
    .some(
      (member) => confState.voters.includes(member.id) && member.machine.appliedIndex + 1 < first,
    );
  return isStopped && isBehind;
}

/** Checks every few milliseconds, not after each event, because the conditions are expensive. */
function until(cluster: SimCluster, holds: () => boolean, limitMs: number): boolean {
  const endMs = cluster.clock.now() + limitMs;
  while (cluster.clock.now() < endMs) {
    if (holds()) return true;
    cluster.clock.run(50);
  }
  return holds();
}

function missingNow({ cluster, operator }: LivenessParts): string | undefined {
  const standing = cluster.nodes.filter(({ state, life }) => state !== "wiped" && life > 0);
  for (const node of standing) if (!node.isServing()) return `${node.name} ${why(node)}`;
  if (operator.pending() > 0) return "the operator's work does not come to an end";
  const leader = cluster.leader();
  if (leader === undefined) return "there is no leader";
  if (leader.machine.alarms().some(({ alarm }) => alarm === "CORRUPT")) {
    return "an alarm about a wrong state does not end";
  }
  if (leader.machine.alarms().some(({ alarm }) => alarm === "NOSPACE")) {
    return "the alarm NOSPACE does not end although there is space";
  }
  for (const node of standing) {
    const { member } = node;
    if (member?.leader() !== leader.id) return `${node.name} follows nobody or another leader`;
    const commit = leader.probe.raft.committedIndex();
    if (member.machine.appliedIndex !== commit) {
      return `${node.name} has applied ${member.machine.appliedIndex} of ${commit}`;
    }
    if (member.probe.isInDoubt()) return `${node.name} still asks whether its state is right`;
  }
  return undefined;
}

function why(node: SimNode): string {
  if (node.failure !== undefined) return `does not run: ${node.failure.message}`;
  if (node.state !== "up") return `is ${node.state}`;
  return `is not ready (term ${node.member?.term()}, leader ${node.member?.leader().toString(16)})`;
}

/**
 * Tries a write and then a linearizable read, through any member. Repeats them for a while if
 * needed: a member that is just ending, by a running fault, refuses at once.
 */
function answers({ cluster, clients }: LivenessParts): boolean {
  let isWritten = false;
  let isRead = false;
  const endMs = cluster.clock.now() + answerMs;
  for (let attempt = 0; cluster.clock.now() < endMs && !isRead; attempt++) {
    until(cluster, () => cluster.nodes.some((candidate) => candidate.isServing()), 10_000);
    const node = cluster.nodes.find((candidate) => candidate.isServing());
    if (node === undefined) return false;
    let isOver = false;
    const request = isWritten
      ? ({ kind: "range", key: "ka" } as const)
      : ({ kind: "put", key: "ka", value: `last${attempt}` } as const);
    clients.ask(node, request, ({ outcome }) => {
      isOver = true;
      if (outcome.kind !== "ok") return;
      if (request.kind === "put") isWritten = true;
      else isRead = true;
    });
    until(cluster, () => isOver, 10_000);
  }
  return isRead;
}
