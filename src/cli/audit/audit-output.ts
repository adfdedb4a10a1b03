/**
 * Writes a round of `lockstep audit` for people, as a line of JSON, and as Prometheus' metrics.
 * Pure.
 */

import { lastSample, type MemberEvidence, type RoundEvidence } from "../../audit/evidence.js";
import { findingWeights } from "../../audit/finding.js";
import { isAnswer } from "../../audit/hash-comparison.js";
import type { RoundJudgement } from "../../audit/judge-round.js";
import { prometheusText } from "../../metrics/prometheus-text.js";
import type { MetricSample } from "../../metrics/sample.js";
import { table } from "../ctl/print-table.js";

export interface AuditedRound {
  readonly number: number;
  readonly atMs: number;
  readonly evidence: RoundEvidence;
  readonly judgement: RoundJudgement;
}

interface MemberRow {
  readonly endpoint: string;
  readonly name?: string;
  readonly id?: string;
  readonly version?: string;
  readonly isLeader?: boolean;
  readonly isLearner?: boolean;
  readonly appliedIndex?: number;
  readonly revision?: number;
  readonly hash?: number;
  readonly hashRevision?: number;
  readonly compactRevision?: number;
  readonly error?: string;
}

function rowOf(member: MemberEvidence, { asks }: RoundEvidence): MemberRow {
  const { endpoint, name, failure } = member;
  const last = lastSample(member);
  const hash = asks.at(-1)?.outcomes.get(endpoint);
  return {
    endpoint,
    ...(name === undefined ? {} : { name }),
    ...(last === undefined
      ? {}
      : {
          id: last.memberId.toString(16),
          version: last.version,
          isLeader: last.isLeader,
          isLearner: last.isLearner,
          appliedIndex: last.appliedIndex,
          revision: last.revision,
        }),
    ...(isAnswer(hash)
      ? { hash: hash.hash, hashRevision: hash.revision, compactRevision: hash.compactRevision }
      : {}),
    ...(failure === undefined ? {} : { error: failure }),
  };
}

const verdictTexts = {
  clean: "clean",
  divergence: "DIVERGENCE",
  unknown: "cannot tell",
} as const;

/** A table of the members, the findings, and the verdict. */
export function roundText({ atMs, evidence, judgement }: AuditedRound): string {
  const { verdict, findings, agreed } = judgement;
  const headings = [
    "ENDPOINT",
    "NAME",
    "ID",
    "VERSION",
    "APPLIED",
    "REVISION",
    "HASHKV",
    "AT",
    "COMPACT",
  ];
  const rows = evidence.members.map((member) => {
    const row = rowOf(member, evidence);
    const { endpoint, name, id, version, appliedIndex, revision } = row;
    const cells = [endpoint, name, id, version, appliedIndex, revision];
    return [...cells, row.hash, row.hashRevision, row.compactRevision].map((cell) =>
      String(cell ?? "-"),
    );
  });
  const lines = findings.map(({ kind, text }) => `${kind}: ${text}\n`);
  const equal =
    verdict === "clean" && agreed !== undefined
      ? `: the same hash up to revision ${agreed.revision}`
      : "";
  const time = new Date(atMs).toISOString();
  return `${table(headings, rows)}${lines.join("")}${time} ${verdictTexts[verdict]}${equal}\n`;
}

export function roundJson({ number, atMs, evidence, judgement }: AuditedRound): string {
  const { verdict, findings, agreed } = judgement;
  const document = {
    time: new Date(atMs).toISOString(),
    round: number,
    verdict,
    agreed,
    members: evidence.members.map((member) => rowOf(member, evidence)),
    findings: findings.map((finding) => ({ ...finding, weight: findingWeights[finding.kind] })),
  };
  return `${JSON.stringify(document)}\n`;
}

const gauges = [
  ["appliedIndex", "applied_index", "Raft's applied index that the member tells."],
  ["revision", "revision", "The member's revision."],
  ["hash", "hashkv", "The member's last HashKV."],
  ["hashRevision", "hashkv_revision", "The revision of the member's last HashKV."],
  ["compactRevision", "hashkv_compact_revision", "Up to where the hashed history was compacted."],
] as const;

export function roundMetrics({ number, atMs, evidence, judgement }: AuditedRound): string {
  const { verdict, findings } = judgement;
  const samples: MetricSample[] = [];
  const gauge = (
    name: string,
    help: string,
    value: number,
    labels?: MetricSample["labels"],
  ): void => {
    samples.push({
      name: `lockstep_audit_${name}`,
      type: "gauge",
      help,
      value,
      ...(labels === undefined ? {} : { labels }),
    });
  };
  for (const each of Object.keys(verdictTexts)) {
    gauge("verdict", "1 for the verdict of the last round.", Number(each === verdict), {
      verdict: each,
    });
  }
  for (const kind of Object.keys(findingWeights)) {
    const count = findings.filter((finding) => finding.kind === kind).length;
    gauge("findings", "Findings of the last round.", count, { kind });
  }
  gauge("rounds", "Rounds so far.", number);
  gauge("last_round_timestamp_seconds", "When the last round ended.", atMs / 1_000);
  for (const member of evidence.members) {
    const row = rowOf(member, evidence);
    const labels = { endpoint: row.endpoint, member: row.name ?? "" };
    gauge("member_up", "1 if the member answered.", Number(row.error === undefined), labels);
    const isSuspect = findings.some(({ suspects }) => suspects.includes(row.endpoint));
    gauge("member_suspect", "1 if a majority contradicts it.", Number(isSuspect), labels);
    for (const [field, name, help] of gauges) {
      const value = row[field];
      if (value !== undefined) gauge(`member_${name}`, help, value, labels);
    }
  }
  return prometheusText(samples);
}
