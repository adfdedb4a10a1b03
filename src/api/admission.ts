/**
 * Who may call now: the checks that etcd makes before a request reaches its service.
 */
import { KvError } from "../base/errors.js";
import type { Call } from "../grpc/call.js";
import type { Member } from "../member/types.js";

/** True if the client asked to be refused rather than served without a leader. */
export function needsLeader(call: Call): boolean {
  return call.metadata("hasleader") === "true";
}

/** Why the call is refused, or undefined. For services that learners do not offer. */
export function refusalOf(member: Member, call: Call): KvError | undefined {
  if (member.isLearner()) return new KvError("notSupportedForLearner");
  if (needsLeader(call) && member.leader() === 0n) return new KvError("noLeader");
  return undefined;
}
