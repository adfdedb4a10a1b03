/**
 * Whether a call may proceed now: the checks that etcd makes before a request reaches its service.
 */
import { KvError } from "../base/errors.js";
import type { Call, Method, StreamCall, UnaryCall } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import { statusOf } from "./status.js";

/** True if the client asked to be refused rather than served without a leader. */
export function needsLeader(call: Call): boolean {
  return call.metadata("hasleader") === "true";
}

/** The reason to refuse the call, or undefined. For services that learners do not offer. */
export function refusalOf(member: Member, call: Call): KvError | undefined {
  if (member.isLearner()) return new KvError("notSupportedForLearner");
  return learnerRefusalOf(member, call);
}

/** The reason to refuse the call, or undefined. For services that learners offer, too. */
export function learnerRefusalOf(member: Member, call: Call): KvError | undefined {
  const refusal = member.refusal();
  if (refusal !== undefined) return refusal;
  // In this order, because reading the metadata is slow.
  return member.leader() === 0n && needsLeader(call) ? new KvError("noLeader") : undefined;
}

/** A member that stops answers no request at all. Every method goes through here. */
export function stoppable(member: Member, method: Method): Method {
  const isRefused = (call: Call): boolean => {
    if (!member.isStopping()) return false;
    call.fail(statusOf(new KvError("stopped")));
    return true;
  };
  if (method.kind === "unary") {
    const { handle } = method;
    return {
      ...method,
      handle: (request, call) => {
        if (!isRefused(call)) handle(request, call);
      },
    };
  }
  const { handle } = method;
  return {
    ...method,
    handle: (call: StreamCall) => {
      if (!isRefused(call)) handle(call);
    },
  };
}

/** A unary method that learners do not offer. */
export function admittedMethod(
  member: Member,
  path: string,
  handle: (request: Uint8Array, call: UnaryCall) => void,
): Method {
  return {
    path,
    kind: "unary",
    handle: (request, call) => {
      const refusal = refusalOf(member, call);
      if (refusal !== undefined) call.fail(statusOf(refusal));
      else handle(request, call);
    },
  };
}
