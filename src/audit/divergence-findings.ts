/**
 * The findings that a lagging member cannot explain, and the alarms of the cluster itself. Pure.
 */
import { confirmed, conflictsBetween } from "./conflicts.js";
import {
  type AuditFinding,
  blame,
  grouped,
  type Heard,
  listed,
  plain,
  type RoundAnswers,
} from "./finding.js";
import type { HashComparison } from "./hash-comparison.js";
import { type Skew, skewsOf } from "./revision-skew.js";

export function clusterFindings({ heard, size }: RoundAnswers): readonly AuditFinding[] {
  const groups = grouped(heard, ({ last }) => last.clusterId.toString(16));
  const text = `the endpoints belong to different clusters: ${listed(groups)}`;
  return [
    blame({ kind: "cluster", text }, conflictsBetween([...groups.values()]), { heard, size }),
  ];
}

/** Compares the revisions of members. Only members of one cluster have one log. */
export function revisionFindings({ heard, size }: RoundAnswers): readonly AuditFinding[] {
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

export function hashFindings(
  { conflicts }: HashComparison,
  { heard, size }: RoundAnswers,
): readonly AuditFinding[] {
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

/** The alarms that members report in Status: a request for alarms would write to the log. */
export function alarmFindings(heard: readonly Heard[]): readonly AuditFinding[] {
  const alarms = new Map<string, string[]>();
  for (const { endpoint, last } of heard) {
    for (const error of last.errors) {
      const text = error.trim();
      alarms.set(text, [...(alarms.get(text) ?? []), endpoint]);
    }
  }
  return [...alarms].map(([text, endpoints]) => {
    if (!/\balarm:CORRUPT\b/.test(text))
      return plain("alarm", `${endpoints.join(", ")}: ${text}`, endpoints);
    // etcd leaves the member's id out of the text when it is 0: the alarm then names no member.
    const id = /\bmemberID:(\d+)/.exec(text)?.[1] ?? "0";
    const named = heard.filter(({ last }) => last.memberId === BigInt(id));
    const suspects = named.map(({ endpoint }) => endpoint);
    const who = BigInt(id) === 0n ? "of no member in particular" : `of member ${hex(id)}`;
    return { kind: "corrupt", text: `alarm CORRUPT ${who}`, members: endpoints, suspects };
  });
}

function hex(decimal: string): string {
  return BigInt(decimal).toString(16);
}
