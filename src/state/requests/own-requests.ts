/** Applies the requests that members make themselves, and no client. */
import type { KvError } from "../../base/errors.js";
import { toSafe } from "../../base/int64.js";
import { InvariantViolation } from "../../base/invariant.js";
import {
  ClusterMemberAttrSetRequest,
  ClusterVersionSetRequest,
  CompactStepRequest,
  DowngradeInfoSetRequest,
  IntegrityVerdictRequest,
  IntegrityVerdictRequest_Kind,
} from "../../wire/gen/internal.js";
import type { OpenedRequest } from "../../wire/internal-request.js";
import { RequestField } from "../../wire/proposal.js";
import type { AlarmSet } from "../alarm/alarm-set.js";
import type { ClusterState } from "../cluster/cluster-state.js";
import type { EntryWrite } from "../entry-write.js";
import type { Meta } from "../meta.js";
import type { Outcome } from "../types.js";
import { decode } from "./decode-request.js";

export interface OwnRequestParts {
  readonly cluster: ClusterState;
  readonly alarms: AlarmSet;
  readonly meta: Meta;
  compactStep(w: EntryWrite, rowsMax: number): void;
}

/** @throws InvariantViolation for an entry of a kind that this build does not know */
export function executeOwn(
  parts: OwnRequestParts,
  { field, body }: OpenedRequest,
  w: EntryWrite,
): Outcome | KvError {
  const { cluster, meta } = parts;
  switch (field) {
    case RequestField.clusterVersionSet:
      return cluster.setVersion(w, decode(ClusterVersionSetRequest, body).ver);
    case RequestField.clusterMemberAttrSet: {
      const request = decode(ClusterMemberAttrSetRequest, body);
      return cluster.setAttributes(w, request.member_ID, {
        name: request.member_attributes?.name ?? "",
        clientUrls: request.member_attributes?.client_urls ?? [],
        serverVersion: request.server_version,
        incarnation: request.incarnation,
      });
    }
    case RequestField.downgradeInfoSet: {
      const { enabled, ver } = decode(DowngradeInfoSetRequest, body);
      return enabled ? cluster.beginDowngrade(w, ver) : cluster.endDowngrade(w);
    }
    case RequestField.compactStep: {
      const step = decode(CompactStepRequest, body);
      const isCurrent = toSafe(step.revision) === meta.compactRevision;
      const isOpen = meta.finishedCompactRevision < meta.compactRevision;
      if (isCurrent && isOpen) parts.compactStep(w, step.rows_max);
      return { kind: "none" };
    }
    case RequestField.integrityVerdict:
      return applyVerdict(parts, decode(IntegrityVerdictRequest, body), w);
    default:
      throw new InvariantViolation("an entry of an unknown kind: this server is too old", {
        field,
      });
  }
}

/**
 * A verdict from another configuration is void, because its member id may mean another member
 * now. Member 0 stands for the cluster: nobody could tell which state is right.
 */
function applyVerdict(
  { cluster, alarms }: OwnRequestParts,
  request: IntegrityVerdictRequest,
  w: EntryWrite,
): Outcome {
  const memberId = request.member_ID;
  if (request.kind === IntegrityVerdictRequest_Kind.CONTAIN) {
    const { voters } = cluster.confState();
    const isSame =
      voters.length === request.voters.length &&
      voters.every((id, place) => id === request.voters[place]);
    const isKnown = memberId === 0n || cluster.member(memberId) !== undefined;
    if (!isSame || !isKnown) return { kind: "none" };
    alarms.contain(w, memberId);
    return { kind: "verdict", memberId, verdict: "contained" };
  }
  if (request.kind !== IntegrityVerdictRequest_Kind.CLEAR) return { kind: "none" };
  alarms.release(w, memberId);
  return { kind: "verdict", memberId, verdict: "cleared" };
}
