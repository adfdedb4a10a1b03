/**
 * From what an auditor saw to what it says. Divergence is only what lag cannot explain: other hashes
 * of the same history, other revisions after the same log entry, other cluster ids, or the cluster's
 * own CORRUPT alarm. What was not seen is never called clean: the verdict is then `unknown`, with
 * the reason. Pure.
 */
import { type Conflict, confirmed, conflictsBetween, involved, suspectsOf } from "./conflicts.js";
import {
  type HashAnswer,
  lastSample,
  type MemberEvidence,
  type RoundEvidence,
  type StatusSample,
} from "./evidence.js";
import { compareHashes, type HashComparison } from "./hash-comparison.js";
import { type Skew, skewsOf } from "./revision-skew.js";

export type Verdict = "clean" | "divergence" | "unknown";

/** Each kind of finding, and what it makes of the verdict. */
export const findingWeights = {
  hash: "divergence",
  revision: "divergence",
  cluster: "divergence",
  corrupt: "divergence",
  unreachable: "unknown",
  uncompared: "unknown",
  alone: "unknown",
  lag: "clean",
  stalled: "clean",
  alarm: "clean",
  read: "clean",
  unasked: "clean",
} as const satisfies Readonly<Record<string, Verdict>>;
export type FindingKind = keyof typeof findingWeights;

export interface Finding {
  readonly kind: FindingKind;
  readonly text: string;
  /** Endpoints that it is about. */
  readonly members: readonly string[];
  /** Of them those that a majority contradicts. */
  readonly suspects: readonly string[];
}

export interface RoundJudgement {
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  /** What all members agree on. */
  readonly agreed: HashAnswer | undefined;
}

/** The applied index of each endpoint at the end of the round before; for `stalled`. */
export type Progress = ReadonlyMap<string, number>;

interface Heard {
  readonly endpoint: string;
  readonly passes: MemberEvidence["passes"];
  readonly last: StatusSample;
}

export function judgeRound(round: RoundEvidence, before?: Progress): RoundJudgement {
  const heard = distinct(round.members);
  const hashes = compareHashes(
    round.asks,
    new Map(heard.map(({ endpoint, last }) => [endpoint, last.version])),
  );
  const size = Math.max(round.clusterSize ?? 0, heard.length + silent(round.members).length);
  const findings = [
    ...clusterFindings(heard, size),
    ...revisionFindings(heard, size),
    ...hashFindings(hashes, heard, size),
    ...alarmFindings(heard),
    ...silenceFindings(round, heard),
    ...(hashes.obstacle === undefined || heard.length < 2
      ? []
      : [plain("uncompared", hashes.obstacle, [...heard.map(({ endpoint }) => endpoint)])]),
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

/** For the next round. */
export function progressOf({ members }: RoundEvidence): Progress {
  return new Map(
    members.flatMap((member) => {
      const last = lastSample(member);
      return last === undefined ? [] : [[member.endpoint, last.appliedIndex] as const];
    }),
  );
}

function plain(kind: FindingKind, text: string, members: readonly string[]): Finding {
  return { kind, text, members, suspects: [] };
}

/** Members that answered, each once: two endpoints may lead to one member. */
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

function blame(
  { kind, text }: Pick<Finding, "kind" | "text">,
  conflicts: readonly Conflict[],
  { heard, size }: { readonly heard: readonly Heard[]; readonly size: number },
): Finding {
  const endpoints = heard.map(({ endpoint }) => endpoint);
  const suspects = suspectsOf(conflicts, endpoints, size);
  const who =
    suspects.length > 0
      ? `the majority contradicts ${suspects.join(", ")}`
      : `no majority of ${size} members agrees: it cannot be told who is wrong`;
  return { kind, text: `${text}; ${who}`, members: involved(conflicts, endpoints), suspects };
}

function grouped<K>(
  heard: readonly Heard[],
  of: (member: Heard) => K,
): ReadonlyMap<K, readonly string[]> {
  const groups = new Map<K, string[]>();
  for (const member of heard) {
    const key = of(member);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [member.endpoint]);
    else group.push(member.endpoint);
  }
  return groups;
}

function listed(groups: Iterable<readonly [string, readonly string[]]>): string {
  return [...groups].map(([value, endpoints]) => `${value} at ${endpoints.join(", ")}`).join("; ");
}

function clusterFindings(heard: readonly Heard[], size: number): readonly Finding[] {
  const groups = grouped(heard, ({ last }) => last.clusterId.toString(16));
  if (groups.size < 2) return [];
  const text = `the endpoints belong to different clusters: ${listed(groups)}`;
  return [
    blame({ kind: "cluster", text }, conflictsBetween([...groups.values()]), { heard, size }),
  ];
}

/** Only members of one cluster have one log. */
function revisionFindings(heard: readonly Heard[], size: number): readonly Finding[] {
  if (grouped(heard, ({ last }) => last.clusterId).size > 1) return [];
  const passes = heard[0]?.passes.map(
    (_, at) => new Map(heard.map(({ endpoint, passes }) => [endpoint, passes[at] ?? []])),
  );
  const skews = confirmed((passes ?? []).map(skewsOf));
  if (skews.length === 0) return [];
  const text = `revisions differ after the same log entries: ${skewText(skews)}`;
  return [blame({ kind: "revision", text }, skews, { heard, size })];
}

function skewText(skews: readonly Skew[]): string {
  const [first] = skews;
  if (first !== undefined && skews.every((s) => s.isExact && s.index === first.index)) {
    const revisions = new Map<string, number>();
    for (const { one, other, revision, otherRevision } of skews) {
      revisions.set(one, revision).set(other, otherRevision);
    }
    const groups = new Map<string, string[]>();
    for (const [endpoint, revision] of [...revisions].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const name = `revision ${revision}`;
      groups.set(name, [...(groups.get(name) ?? []), endpoint]);
    }
    return `at applied index ${first.index} ${listed(groups)}`;
  }
  return skews
    .map(
      ({ one, other, index, revision, otherRevision }) =>
        `at applied index ${index} ${one} has at least revision ${revision}, ` +
        `${other} at most ${otherRevision}`,
    )
    .join("; ");
}

function hashFindings(
  { conflicts }: HashComparison,
  heard: readonly Heard[],
  size: number,
): readonly Finding[] {
  const [first] = conflicts;
  if (first === undefined) return [];
  const { revision, compactRevision } = first;
  const hashes = new Map<string, number>();
  for (const { one, other, hash, otherHash } of conflicts) {
    hashes.set(one, hash).set(other, otherHash);
  }
  const among = heard.filter(({ endpoint }) => hashes.has(endpoint));
  const groups = grouped(among, ({ endpoint }) => String(hashes.get(endpoint)));
  const text =
    `HashKV differs at revision ${revision} (compact revision ${compactRevision}): ` +
    listed(groups);
  return [blame({ kind: "hash", text }, conflicts, { heard, size })];
}

/** What members say of alarms, in Status: asking for alarms as such would write to the log. */
function alarmFindings(heard: readonly Heard[]): readonly Finding[] {
  const alarms = new Map<string, string[]>();
  for (const { endpoint, last } of heard) {
    for (const error of last.errors) {
      const text = error.trim();
      alarms.set(text, [...(alarms.get(text) ?? []), endpoint]);
    }
  }
  return [...alarms].map(([text, endpoints]) => {
    const [, id = "0", alarm = ""] = /^(?:memberID:(\d+) )?(?:alarm:(\w+))?/.exec(text) ?? [];
    if (alarm !== "CORRUPT") return plain("alarm", `${endpoints.join(", ")}: ${text}`, endpoints);
    const named = heard.filter(({ last }) => last.memberId === BigInt(id));
    const suspects = named.map(({ endpoint }) => endpoint);
    const who = BigInt(id) === 0n ? "of no member in particular" : `of member ${hex(id)}`;
    return { kind: "corrupt", text: `alarm CORRUPT ${who}`, members: endpoints, suspects };
  });
}

function hex(decimal: string): string {
  return BigInt(decimal).toString(16);
}

function silenceFindings(round: RoundEvidence, heard: readonly Heard[]): readonly Finding[] {
  const findings = silent(round.members).map(({ endpoint, failure }) =>
    plain("unreachable", `${endpoint} cannot be asked: ${failure}`, [endpoint]),
  );
  if (heard.length === 1 && findings.length === 0) {
    findings.push(plain("alone", "only one member was asked: there is nothing to compare", []));
  }
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

/** Behind: at the end of a pass it has not applied what another had applied at its beginning. */
function lagFindings(heard: readonly Heard[], agreed: HashAnswer | undefined): readonly Finding[] {
  const begins = heard.map(({ passes }) => passes.at(-1)?.[0]?.appliedIndex ?? 0);
  const ahead = Math.max(0, ...begins);
  return heard.flatMap(({ endpoint, last }) => {
    if (last.appliedIndex >= ahead) return [];
    const history = agreed === undefined ? "" : `; its history is equal up to ${agreed.revision}`;
    const text = `${endpoint} is behind: applied index ${last.appliedIndex} of ${ahead}${history}`;
    return [plain("lag", text, [endpoint])];
  });
}

function stalledFindings(heard: readonly Heard[], before: Progress): readonly Finding[] {
  const ahead = Math.max(0, ...heard.map(({ last }) => last.appliedIndex));
  const wasAhead = Math.max(0, ...before.values());
  if (ahead <= wasAhead) return [];
  return heard.flatMap(({ endpoint, last: { appliedIndex } }) => {
    if (before.get(endpoint) !== appliedIndex || appliedIndex >= ahead) return [];
    const text = `${endpoint} is stalled: applied index ${appliedIndex} since the round before`;
    return [plain("stalled", `${text}, others are at ${ahead}`, [endpoint])];
  });
}
