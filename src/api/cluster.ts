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
import { owned } from "./owned.js";
import { normalPeerUrls } from "./peer-urls.js";
import { serve } from "./serve.js";
import { clusterHeaderOf, decodeFor, refuse } from "./status.js";

/** All answers but MemberAdd's have these two fields. */
interface MembersResponse {
  encode(message: { header: ResponseHeader; members: WireMember[] }): { finish(): Uint8Array };
}

export function clusterMethods(member: Member): Method[] {
  return serve(member, "etcdserverpb.Cluster", {
    MemberAdd: (message, call) => add(member, message, call),
    MemberRemove: (message, call) => {
      const request = decodeFor(call, MemberRemoveRequest, message);
      if (request === undefined) return;
      member.memberRemove(call, request.ID, answer(member, call, MemberRemoveResponse));
    },
    MemberUpdate: (message, call) => update(member, message, call),
    MemberList: (message, call) => list(member, message, call),
    MemberPromote: (message, call) => {
      const request = decodeFor(call, MemberPromoteRequest, message);
      if (request === undefined) return;
      member.memberPromote(call, request.ID, answer(member, call, MemberPromoteResponse));
    },
  });
}

function add(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, MemberAddRequest, message);
  if (request === undefined) return;
  const peerUrls = normalPeerUrls(request.peerURLs);
  if (peerUrls === undefined) {
    refuse(call, new KvError("badMemberUrls"));
    return;
  }
  const added: Parameters<Member["memberAdd"]>[2] = (result) => {
    if (result instanceof KvError) {
      refuse(call, result);
      return;
    }
    const header = clusterHeaderOf(member);
    const members = result.members.map(toWire);
    const response = { header, member: toWire(result.member), members };
    call.respond(MemberAddResponse.encode(response).finish());
  };
  member.memberAdd(call, { peerUrls, isLearner: request.isLearner }, owned(member, call, added));
}

function update(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, MemberUpdateRequest, message);
  if (request === undefined) return;
  const peerUrls = normalPeerUrls(request.peerURLs);
  if (peerUrls === undefined) {
    refuse(call, new KvError("badMemberUrls"));
    return;
  }
  const updated = answer(member, call, MemberUpdateResponse);
  member.memberUpdate(call, { id: request.ID, peerUrls }, updated);
}

function list(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, MemberListRequest, message);
  if (request === undefined) return;
  const respond = answer(member, call, MemberListResponse);
  const read: Done<void> = (refusal) => {
    respond(refusal instanceof KvError ? refusal : member.machine.cluster.members());
  };
  const isLocal = !request.linearizable;
  member.read(
    "/etcdserverpb.Cluster/MemberList",
    { client: call, isLocal },
    owned(member, call, read),
  );
}

function answer(
  member: Member,
  call: UnaryCall,
  type: MembersResponse,
): Done<readonly MemberRecord[]> {
  return owned(member, call, (result) => {
    if (result instanceof KvError) {
      refuse(call, result);
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
