/**
 * Makes findings of what an auditor saw. Only what lag cannot explain is a divergence: different
 * hashes of the same history, different revisions after the same log entry, different cluster ids,
 * or the cluster's own CORRUPT alarm. If the auditor could not see something, the verdict is
 * `unknown` with the reason, never clean. Pure.
 */
import {
  alarmFindings,
  clusterFindings,
  hashFindings,
  revisionFindings,
} from "./divergence-findings.js";
import {
  type HashAnswer,
  lastSample,
  type MemberEvidence,
  type RoundEvidence,
} from "./evidence.js";
import {
  type AuditFinding,
  type AuditVerdict,
  findingWeights,
  grouped,
  type Heard,
  plain,
} from "./finding.js";
import { compareHashes, type HashComparison } from "./hash-comparison.js";

export interface RoundJudgement {
  readonly verdict: AuditVerdict;
  readonly findings: readonly AuditFinding[];
  /** The hash on which all members agree. */
  readonly agreed: HashAnswer | undefined;
}

/** The applied index of each endpoint at the end of the previous round; for `stalled`. */
export type AppliedBefore = ReadonlyMap<string, number>;

export function judgeRound(round: RoundEvidence, before?: AppliedBefore): RoundJudgement {
  const heard = distinct(round.members);
  const voters = heard.filter(({ last }) => !last.isLearner);
  const size = Math.max(round.clusterSize ?? 0, voters.length + silent(round.members).length);
  const isOneCluster = grouped(heard, ({ last }) => last.clusterId).size <= 1;
  const hashes = compareHashes(
    isOneCluster ? round.asks : [],
    new Map(voters.map(({ endpoint, last }) => [endpoint, last.version])),
  );
  const answers = { heard, size };
  const findings = [
    ...(isOneCluster ? revisionFindings(answers) : clusterFindings(answers)),
    ...hashFindings(hashes, answers),
    ...alarmFindings(heard),
    ...silenceFindings(round),
    ...(isOneCluster ? comparisonFindings(hashes, voters, round) : []),
    ...learnerFindings(heard),
    ...lagFindings(heard, hashes.agreed),
    ...(before === undefined ? [] : stalledFindings(heard, before)),
  ];
  const weights = new Set(findings.map(({ kind }) => findingWeights[kind]));
  const verdict = weights.has("divergence")
    ? "divergence"
    : weights.has("unknown")
      ? "unknown"
      : "clean";
  return { verdict, findings, agreed: hashes.agreed };
}

/** What the next round needs to know of this one. */
export function progressOf({ members }: RoundEvidence): AppliedBefore {
  return new Map(
    members.flatMap((member) => {
      const last = lastSample(member);
      return last === undefined ? [] : [[member.endpoint, last.appliedIndex] as const];
    }),
  );
}

/** Members that answered, each once, because two endpoints may reach one member. */
function distinct(members: readonly MemberEvidence[]): readonly Heard[] {
  const ids = new Set<string>();
  return members.flatMap((member) => {
    const last = lastSample(member);
    if (last === undefined || member.failure !== undefined) return [];
    const id = `${last.clusterId} ${last.memberId}`;
    if (ids.has(id)) return [];
    ids.add(id);
    return [{ endpoint: member.endpoint, passes: member.passes, last }];
  });
}

function silent(members: readonly MemberEvidence[]): readonly MemberEvidence[] {
  return members.filter(({ failure }) => failure !== undefined);
}

function silenceFindings(round: RoundEvidence): readonly AuditFinding[] {
  const findings = silent(round.members).map(({ endpoint, failure }) =>
    plain("unreachable", `${endpoint} cannot be asked: ${failure}`, [endpoint]),
  );
  for (const { endpoint, readFailure, failure } of round.members) {
    if (readFailure === undefined || failure !== undefined) continue;
    const text = `${endpoint} does not answer a linearizable read: ${readFailure}`;
    findings.push(plain("read", text, [endpoint]));
  }
  if (round.unasked.length > 0) {
    const text = `no endpoint leads to these members: ${round.unasked.join(", ")}`;
    findings.push(plain("unasked", text, []));
  }
  return findings;
}

function comparisonFindings(
  { obstacle }: HashComparison,
  voters: readonly Heard[],
  { members }: RoundEvidence,
): readonly AuditFinding[] {
  const endpoints = voters.map(({ endpoint }) => endpoint);
  if (voters.length >= 2) {
    return obstacle === undefined ? [] : [plain("uncompared", obstacle, endpoints)];
  }
  if (silent(members).length > 0) return [];
  return [plain("alone", "only one member was asked: there is nothing to compare", endpoints)];
}

/** etcd refuses HashKV on learners. */
function learnerFindings(heard: readonly Heard[]): readonly AuditFinding[] {
  const endpoints = heard.flatMap(({ endpoint, last }) => (last.isLearner ? [endpoint] : []));
  if (endpoints.length === 0) return [];
  const text = `learners have no HashKV, only their revision is compared: ${endpoints.join(", ")}`;
  return [plain("learner", text, endpoints)];
}

/**
 * Members that lag: at the end of a pass they have not applied what another member had applied at
 * its beginning.
 */
function lagFindings(
  heard: readonly Heard[],
  agreed: HashAnswer | undefined,
): readonly AuditFinding[] {
  const begins = heard.map(({ passes }) => passes.at(-1)?.[0]?.appliedIndex ?? 0);
  const ahead = Math.max(0, ...begins);
  return heard.flatMap(({ endpoint, last }) => {
    if (last.appliedIndex >= ahead) return [];
    const history = agreed === undefined ? "" : `; its history is equal up to ${agreed.revision}`;
    const text = `${endpoint} is behind: applied index ${last.appliedIndex} of ${ahead}${history}`;
    return [plain("lag", text, [endpoint])];
  });
}

function stalledFindings(heard: readonly Heard[], before: AppliedBefore): readonly AuditFinding[] {
  const ahead = Math.max(0, ...heard.map(({ last }) => last.appliedIndex));
  const wasAhead = Math.max(0, ...before.values());
  if (ahead <= wasAhead) return [];
  return heard.flatMap(({ endpoint, last: { appliedIndex } }) => {
    if (before.get(endpoint) !== appliedIndex || appliedIndex >= ahead) return [];
    const text = `${endpoint} is stalled: applied index ${appliedIndex} since the round before`;
    return [plain("stalled", `${text}, others are at ${ahead}`, [endpoint])];
  });
}
