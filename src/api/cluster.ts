/** The Cluster service: membership. Its headers carry no revision, as etcd's do not. */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { Method, UnaryCall } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import type { MemberRecord } from "../state/types.js";
import {
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  MemberPromoteRequest,
  MemberPromoteResponse,
  MemberRemoveRequest,
  MemberRemoveResponse,
  MemberUpdateRequest,
  MemberUpdateResponse,
  type ResponseHeader,
  type Member as WireMember,
} from "../wire/gen/rpc.js";
import { admittedMethod } from "./admission.js";
import { owned } from "./owned.js";
import { normalPeerUrls } from "./peer-urls.js";
import { clusterHeaderOf, decodeFor, statusOf } from "./status.js";

const service = "/etcdserverpb.Cluster/";

/** All answers but MemberAdd's have these two fields. */
interface MembersResponse {
  encode(message: { header: ResponseHeader; members: WireMember[] }): { finish(): Uint8Array };
}

export function clusterMethods(member: Member): Method[] {
  const method = (name: string, handle: (request: Uint8Array, call: UnaryCall) => void): Method =>
    admittedMethod(member, service + name, handle);
  return [
    method("MemberAdd", (message, call) => add(member, message, call)),
    method("MemberRemove", (message, call) => {
      const request = decodeFor(call, MemberRemoveRequest, message);
      if (request === undefined) return;
      member.memberRemove(request.ID, answer(member, call, MemberRemoveResponse));
    }),
    method("MemberUpdate", (message, call) => update(member, message, call)),
    method("MemberList", (message, call) => list(member, message, call)),
    method("MemberPromote", (message, call) => {
      const request = decodeFor(call, MemberPromoteRequest, message);
      if (request === undefined) return;
      member.memberPromote(request.ID, answer(member, call, MemberPromoteResponse));
    }),
  ];
}

function add(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, MemberAddRequest, message);
  if (request === undefined) return;
  const urls = normalPeerUrls(request.peerURLs);
  if (urls === undefined) {
    call.fail(statusOf(new KvError("badMemberUrls")));
    return;
  }
  const added: Parameters<Member["memberAdd"]>[2] = (result) => {
    if (result instanceof KvError) {
      call.fail(statusOf(result));
      return;
    }
    const header = clusterHeaderOf(member);
    const members = result.members.map(toWire);
    const response = { header, member: toWire(result.member), members };
    call.respond(MemberAddResponse.encode(response).finish());
  };
  member.memberAdd(urls, request.isLearner, owned(member, call, added));
}

function update(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, MemberUpdateRequest, message);
  if (request === undefined) return;
  const urls = normalPeerUrls(request.peerURLs);
  if (urls === undefined) call.fail(statusOf(new KvError("badMemberUrls")));
  else member.memberUpdate(request.ID, urls, answer(member, call, MemberUpdateResponse));
}

function list(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, MemberListRequest, message);
  if (request === undefined) return;
  const respond = answer(member, call, MemberListResponse);
  if (!request.linearizable) {
    respond(member.machine.cluster.members());
    return;
  }
  const read: Done<void> = (refusal) => {
    respond(refusal instanceof KvError ? refusal : member.machine.cluster.members());
  };
  member.readBarrier(owned(member, call, read));
}

function answer(
  member: Member,
  call: UnaryCall,
  type: MembersResponse,
): Done<readonly MemberRecord[]> {
  return owned(member, call, (result) => {
    if (result instanceof KvError) {
      call.fail(statusOf(result));
      return;
    }
    const message = { header: clusterHeaderOf(member), members: result.map(toWire) };
    call.respond(type.encode(message).finish());
  });
}

function toWire(record: MemberRecord): WireMember {
  return {
    ID: record.id,
    name: record.name,
    peerURLs: [...record.peerUrls],
    clientURLs: [...record.clientUrls],
    isLearner: record.isLearner,
  };
}
