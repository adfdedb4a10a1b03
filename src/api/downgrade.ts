/**
 * RPC Maintenance/Downgrade as in etcd 3.6: VALIDATE asks whether the cluster may go one minor
 * down, ENABLE does it, CANCEL ends it. The state machine decides when it applies the entry. The
 * checks before the proposal only keep requests out of the log that the machine would refuse.
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { UnaryCall } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import { parseVersion, versionText } from "../state/cluster/version.js";
import type { Applied } from "../state/types.js";
import { DowngradeInfoSetRequest } from "../wire/gen/internal.js";
import {
  DowngradeRequest_DowngradeAction as Action,
  DowngradeRequest,
  DowngradeResponse,
} from "../wire/gen/rpc.js";
import { RequestField } from "../wire/proposal.js";
import { owned } from "./owned.js";
import { decodeFor, headerOf, refuse, unknownAction } from "./status.js";

const rpc = "/etcdserverpb.Maintenance/Downgrade";

export function downgrade(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, DowngradeRequest, message);
  if (request === undefined) return;
  switch (request.action) {
    case Action.VALIDATE:
      validate(member, request.version, call, () => answer(member, call, versionOf(member)));
      return;
    case Action.ENABLE:
      validate(member, request.version, call, (target) => {
        const before = versionOf(member);
        propose(member, call, { enabled: true, ver: target }, (error) => {
          if (error !== undefined) refuse(call, error);
          else answer(member, call, before);
        });
      });
      return;
    case Action.CANCEL:
      propose(member, call, { enabled: false, ver: "" }, (error) => {
        // As in etcd: if there is nothing to cancel, the call succeeds.
        if (error === undefined || error.reason === "noInflightDowngrade") {
          answer(member, call, versionOf(member));
        } else refuse(call, error);
      });
      return;
    default:
      refuse(call, unknownAction);
  }
}

function validate(
  member: Member,
  version: string,
  call: UnaryCall,
  done: (target: string) => void,
): void {
  const parsed = parseVersion(version);
  if (parsed === undefined) {
    refuse(call, new KvError("wrongDowngradeVersionFormat"));
    return;
  }
  const target = versionText(parsed);
  const read: Done<void> = (error) => {
    const refusal = error ?? member.machine.cluster.downgradeRefusal(target);
    if (refusal !== undefined) refuse(call, refusal);
    else done(target);
  };
  member.read(rpc, { client: call, isLocal: false }, owned(member, call, read));
}

function propose(
  member: Member,
  call: UnaryCall,
  info: DowngradeInfoSetRequest,
  done: (error: KvError | undefined) => void,
): void {
  const body = DowngradeInfoSetRequest.encode(info).finish();
  const request = { field: RequestField.downgradeInfoSet, body, growthBytes: 0, client: call };
  const decided: Done<Applied> = (applied) => {
    const outcome = applied instanceof KvError ? applied : applied.outcome;
    done(outcome instanceof KvError ? outcome : undefined);
  };
  member.write(rpc, request, owned(member, call, decided));
}

/** The cluster's version in the form "3.6", as etcd answers it. */
function versionOf(member: Member): string {
  const version = parseVersion(member.machine.cluster.clusterVersion());
  return version === undefined ? "" : `${version.major}.${version.minor}`;
}

function answer(member: Member, call: UnaryCall, version: string): void {
  call.respond(DowngradeResponse.encode({ header: headerOf(member), version }).finish());
}
