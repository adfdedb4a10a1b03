/** What an auditor finds: the kinds, the verdict of each, and the suspected members. Pure. */
import { type Conflict, involved, suspectsOf } from "./conflicts.js";
import type { MemberEvidence, StatusSample } from "./evidence.js";

export type AuditVerdict = "clean" | "divergence" | "unknown";

/** Each kind of finding, and its verdict. */
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
  learner: "clean",
  read: "clean",
  unasked: "clean",
} as const satisfies Readonly<Record<string, AuditVerdict>>;
export type FindingKind = keyof typeof findingWeights;

export interface AuditFinding {
  readonly kind: FindingKind;
  readonly text: string;
  /** Endpoints that the finding is about. */
  readonly members: readonly string[];
  /** Those of `members` that a majority contradicts. */
  readonly suspects: readonly string[];
}

/** A member that answered throughout the round. */
export interface Heard {
  readonly endpoint: string;
  readonly passes: MemberEvidence["passes"];
  readonly last: StatusSample;
}

/** The members that answered, and how many voting members the cluster has. */
export interface RoundAnswers {
  readonly heard: readonly Heard[];
  readonly size: number;
}

export function plain(kind: FindingKind, text: string, members: readonly string[]): AuditFinding {
  return { kind, text, members, suspects: [] };
}

export function blame(
  { kind, text }: Pick<AuditFinding, "kind" | "text">,
  conflicts: readonly Conflict[],
  { heard, size }: RoundAnswers,
): AuditFinding {
  const endpoints = heard.map(({ endpoint }) => endpoint);
  const voters = heard.flatMap(({ endpoint, last }) => (last.isLearner ? [] : [endpoint]));
  const suspects = suspectsOf(conflicts, { endpoints, voters, clusterSize: size });
  const who =
    suspects.length > 0
      ? `the majority contradicts ${suspects.join(", ")}`
      : `no majority of ${size} members agrees: it cannot be told who is wrong`;
  return { kind, text: `${text}; ${who}`, members: involved(conflicts, endpoints), suspects };
}

export function grouped<K>(
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

export function listed(groups: Iterable<readonly [string, readonly string[]]>): string {
  return [...groups].map(([value, endpoints]) => `${value} at ${endpoints.join(", ")}`).join("; ");
}
