/**
 * The Lease service. Grants and revocations go through the log. The leader answers renewals and
 * remaining times (the member forwards them). The answer to the renewal of an unknown lease has TTL 0
 * and does not end the stream.
 */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { Method, UnaryCall } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import { adminRefusal, leaseReadRefusal, userRefusal } from "../state/auth/rights.js";
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
} from "../wire/gen/rpc.js";
import { type Caller, RequestField } from "../wire/proposal.js";
import { encodeTimeToLive } from "../wire/time-to-live.js";
import { withCaller, withWriter } from "./caller.js";
import { keepAlive } from "./lease/keep-alive.js";
import { owned } from "./owned.js";
import { serve } from "./serve.js";
import { decodeFor, headerOf, refuse } from "./status.js";

export function leaseMethods(member: Member): Method[] {
  return serve(member, "etcdserverpb.Lease", {
    LeaseGrant: (request, call) => grant(member, request, call),
    LeaseRevoke: (request, call) => revoke(member, request, call),
    LeaseTimeToLive: (request, call) => timeToLive(member, request, call),
    LeaseLeases: (request, call) => listLeases(member, request, call),
    LeaseKeepAlive: (call) => keepAlive(member, call),
  });
}

function grant(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, LeaseGrantRequest, message);
  if (request === undefined) return;
  // A value beyond a safe integer is too large in any case; a negative one is too small.
  const ttl = Math.min(Math.max(Number(request.TTL), 0), Number.MAX_SAFE_INTEGER);
  const granted: Parameters<Member["leaseGrant"]>[2] = (result) => {
    if (result instanceof KvError) {
      refuse(call, result);
      return;
    }
    const header = headerOf(member, result.revision);
    const answer = { header, ID: result.id, TTL: BigInt(result.ttl), error: "" };
    call.respond(LeaseGrantResponse.encode(answer).finish());
  };
  member.leaseGrant(call, { id: request.ID, ttl }, owned(member, call, granted));
}

function revoke(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, LeaseRevokeRequest, message);
  if (request === undefined) return;
  const body = LeaseRevokeRequest.encode(request).finish();
  const revoked: Parameters<Member["write"]>[2] = (applied) => {
    const failure = applied instanceof KvError ? applied : applied.outcome;
    if (failure instanceof KvError) {
      refuse(call, failure);
    } else if (!(applied instanceof KvError)) {
      const header = headerOf(member, applied.revision);
      call.respond(LeaseRevokeResponse.encode({ header }).finish());
    }
  };
  withWriter(member, call, (caller) => {
    const proposal = {
      field: RequestField.leaseRevoke,
      body,
      growthBytes: 0,
      client: call,
      caller,
    };
    member.write("/etcdserverpb.Lease/LeaseRevoke", proposal, owned(member, call, revoked));
  });
}

function timeToLive(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, LeaseTimeToLiveRequest, message);
  if (request === undefined) return;
  withCaller(member, call, (caller) => {
    const refusal = timeToLiveRefusal(member, caller, request);
    if (refusal !== undefined) refuse(call, refusal);
    else askTimeToLive(member, caller, request, call);
  });
}

/**
 * Refuses the keys of a lease to a caller who may not read all of them. Any user may ask for the
 * time alone.
 */
function timeToLiveRefusal(
  member: Member,
  caller: Caller,
  request: LeaseTimeToLiveRequest,
): KvError | undefined {
  const refusal = userRefusal(member.machine.auth, caller);
  if (refusal !== undefined || !request.keys) return refusal;
  return leaseReadRefusal(member.machine, caller, request.ID);
}

function askTimeToLive(
  member: Member,
  caller: Caller,
  request: LeaseTimeToLiveRequest,
  call: UnaryCall,
): void {
  const { revision } = member.machine.auth;
  const told: Parameters<Member["leaseTimeToLive"]>[2] = (result) => {
    const { auth } = member.machine;
    const isOld = request.keys && auth.isEnabled && auth.revision !== revision;
    // The leader's keys may be newer than those that were checked here.
    const late = isOld
      ? new KvError("authOldRevision")
      : timeToLiveRefusal(member, caller, request);
    const failure = result instanceof KvError ? result : late;
    if (failure !== undefined || result instanceof KvError) {
      refuse(call, failure as KvError);
      return;
    }
    const header = headerOf(member);
    call.respond(encodeTimeToLive(result, { header, ID: request.ID }));
  };
  const of = { id: request.ID, withKeys: request.keys };
  member.leaseTimeToLive(call, of, owned(member, call, told));
}

/**
 * Lists the leases that this member has applied, without a read barrier, as in etcd. Ascending by
 * id: only the leader knows when leases expire, and all members should give the same order.
 */
function listLeases(member: Member, message: Uint8Array, call: UnaryCall): void {
  if (decodeFor(call, LeaseLeasesRequest, message) === undefined) return;
  withCaller(member, call, (caller) => {
    const refusal = userRefusal(member.machine.auth, caller);
    if (refusal !== undefined) {
      refuse(call, refusal);
      return;
    }
    const { revision } = member.machine.auth;
    const listed: Done<Uint8Array> = (leases) => {
      // Each lease was looked at when it came into the list, by the rights of that moment.
      const late = leases instanceof KvError ? leases : changedRights(member, caller, revision);
      if (late !== undefined || leases instanceof KvError) {
        refuse(call, late as KvError);
        return;
      }
      const head = LeaseLeasesResponse.encode({ header: headerOf(member), leases: [] }).finish();
      call.respond(Buffer.concat([head, leases]));
    };
    // Whoever may not read one key of a lease may not see that lease, so gets no list.
    const refusalOf = (id: bigint) => leaseReadRefusal(member.machine, caller, id);
    member.leaseList(call, refusalOf, owned(member, call, listed));
  });
}

/** Refuses what was read at an older auth revision, except to root. */
function changedRights(
  { machine: { auth } }: Member,
  caller: Caller,
  revision: number,
): KvError | undefined {
  if (adminRefusal(auth, caller) === undefined || auth.revision === revision) return undefined;
  return new KvError("authOldRevision");
}
