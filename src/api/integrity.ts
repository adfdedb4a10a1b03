/**
 * The Integrity service: what a member knows of its own state and of the others', now and in the
 * past. Learners and members in quarantine answer it too, because operators need it most in these
 * cases. Of clients' keys it shows only those of rows that were found wrong.
 */
import type { Method, UnaryCall } from "../grpc/call.js";
import type { Incident, IncidentStep, RowFindings } from "../integrity/incidents/incident.js";
import type { Member, MemberIntegrity as View } from "../member/types.js";
import {
  type Divergence,
  type MemberIntegrity,
  ReportRequest,
  ReportResponse,
  MemberIntegrity_State as State,
  type Incident as WireIncident,
  type RowFindings as WireRows,
  type IncidentStep as WireStep,
} from "../wire/gen/integrity.js";
import { AlarmType } from "../wire/gen/rpc.js";
import { serve } from "./serve.js";
import { clusterHeaderOf, decodeFor, headerOf } from "./status.js";

export function integrityMethods(member: Member): Method[] {
  return serve(member, "lockstep.Integrity", {
    Report: (message, call) => report(member, message, call),
  });
}

const states: Readonly<Record<ReturnType<View["peer"]>["state"], State>> = {
  unknown: State.UNKNOWN,
  equal: State.EQUAL,
  differs: State.DIFFERS,
  "not comparable": State.NOT_COMPARABLE,
};

function report(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, ReportRequest, message);
  if (request === undefined) return;
  const view = member.integrity();
  const { machine } = member;
  const { quarantine, divergence } = view;
  const isRefusing = quarantine !== undefined || divergence !== undefined;
  const answer: ReportResponse = {
    // The revision of a stand-in, or of another history, must not reach the client.
    header: isRefusing ? clusterHeaderOf(member) : headerOf(member),
    digest_version: view.digestVersion,
    applied_index: BigInt(machine.appliedIndex),
    verified_index: BigInt(view.verifiedIndex),
    leader: member.leader(),
    members: machine.cluster.members().map((one) => ({
      ...memberView(view, one.id === member.id ? undefined : one.id),
      ID: one.id,
      name: one.name,
      client_urls: [...one.clientUrls],
      is_learner: one.isLearner,
    })),
    quarantine:
      quarantine === undefined
        ? undefined
        : {
            reason: quarantine.reason,
            index: whole(quarantine.index),
            since_ms: whole(quarantine.sinceMs),
            failures: quarantine.failures,
            backend: quarantine.backend,
            evidence: [...quarantine.evidence],
          },
    divergence: divergence && wireDivergence(divergence),
    auto_compaction: view.autoCompaction && {
      last_revision: BigInt(view.autoCompaction.lastRevision),
      next_revision: BigInt(view.autoCompaction.nextRevision),
      due_in_ms: whole(Math.ceil(view.autoCompaction.dueInMs ?? -1)),
    },
    incidents: request.present_only ? [] : view.incidents.map(wireIncident),
    alarms: machine.alarms().map((one) => ({
      member_ID: one.memberId,
      alarm: AlarmType[one.alarm],
      contained: one.isContained === true,
    })),
  };
  call.respond(ReportResponse.encode(answer).finish());
}

function wireDivergence(divergence: NonNullable<View["divergence"]>): Divergence {
  const { committed, leaderEnd, sinceMs, kept } = divergence;
  return {
    committed_index: whole(committed.index),
    committed_term: whole(committed.term),
    leader_last_index: whole(leaderEnd.index),
    leader_last_term: whole(leaderEnd.term),
    since_ms: whole(sinceMs),
    kept_file: kept?.file ?? "",
    first_kept: whole(kept?.first ?? 0),
    last_kept: whole(kept?.last ?? 0),
  };
}

function memberView(
  view: View,
  peer: bigint | undefined,
): Pick<MemberIntegrity, "state" | "verified_index"> {
  if (peer === undefined) return { state: State.SELF, verified_index: BigInt(view.verifiedIndex) };
  const { state, verifiedIndex } = view.peer(peer);
  return { state: states[state], verified_index: BigInt(verifiedIndex) };
}

function wireIncident({ number, steps }: Incident): WireIncident {
  return { number: BigInt(number), steps: steps.map(wireStep) };
}

function wireStep(step: IncidentStep): WireStep {
  return {
    kind: step.kind,
    at_ms: whole(step.atMs),
    member: step.member,
    text: step.text,
    index: whole(step.index),
    difference: step.difference ?? "",
    evidence: [...(step.evidence ?? [])],
    rows: step.rows === undefined ? undefined : wireRows(step.rows),
  };
}

function wireRows(found: RowFindings): WireRows {
  const { missing, extra, different, damaged } = found.faults;
  return {
    wrong_index: whole(found.wrongIndex),
    right_index: whole(found.rightIndex),
    upto_revision: whole(found.uptoRevision),
    compared: whole(found.compared),
    missing: whole(missing),
    extra: whole(extra),
    different: whole(different),
    damaged: whole(damaged),
    rows: found.rows.map((row) => ({ ...row, revision: whole(row.revision) })),
    problem: found.problem,
  };
}

/** A whole number of milliseconds. Times have fractions, and a file may hold any number. */
function whole(value: number): bigint {
  return Number.isFinite(value) ? BigInt(Math.round(value)) : 0n;
}
