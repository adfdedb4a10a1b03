/** The Maintenance service: what an operator asks of one member, and the alarms of the cluster. */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { toSafe } from "../base/int64.js";
import type { Method, StreamCall, UnaryCall } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import type { Hash } from "../platform/hash.js";
import type { Applied } from "../state/types.js";
import {
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmResponse,
  AlarmType,
  DefragmentRequest,
  DefragmentResponse,
  HashKVRequest,
  HashKVResponse,
  HashRequest,
  HashResponse,
  MoveLeaderRequest,
  MoveLeaderResponse,
  SnapshotRequest,
  StatusRequest,
  StatusResponse,
} from "../wire/gen/rpc.js";
import { RequestField } from "../wire/proposal.js";
import { withCurrentRoot, withWriter } from "./caller.js";
import { downgrade } from "./downgrade.js";
import { owned } from "./owned.js";
import { serve } from "./serve.js";
import { sendSnapshot } from "./snapshot-stream.js";
import { decodeFor, decodeOnStream, headerOf, refuse } from "./status.js";

const headless = { header: undefined };

export function maintenanceMethods(member: Member, hash: Hash): Method[] {
  return serve(member, "etcdserverpb.Maintenance", {
    Alarm: (message, call) => alarm(member, message, call),
    Status: (message, call) => status(member, message, call),
    HashKV: (message, call) => hashKv(member, message, call),
    Hash: (message, call) => {
      if (decodeFor(call, HashRequest, message) === undefined) return;
      const hashed: Done<number> = (result) => {
        if (result instanceof KvError) refuse(call, result);
        else call.respond(HashResponse.encode({ header: headerOf(member), hash: result }).finish());
      };
      member.hash(owned(member, call, hashed), call);
    },
    MoveLeader: (message, call) => {
      const request = decodeFor(call, MoveLeaderRequest, message);
      if (request === undefined) return;
      const answer = () => MoveLeaderResponse.encode(headless).finish();
      const moved = (result: unknown) => finish(call, result, answer);
      member.moveLeader(request.targetID, owned(member, call, moved));
    },
    Defragment: (message, call) => {
      if (decodeFor(call, DefragmentRequest, message) === undefined) return;
      const answer = () => DefragmentResponse.encode(headless).finish();
      member.defragment(owned(member, call, (result: unknown) => finish(call, result, answer)));
    },
    Downgrade: (message, call) => downgrade(member, message, call),
    Snapshot: (call) => snapshot(member, hash, call),
  });
}

function finish(call: UnaryCall, result: unknown, answer: () => Uint8Array): void {
  if (result instanceof KvError) refuse(call, result);
  else call.respond(answer());
}

/**
 * Reading the alarms also goes through the log, as in etcd: clients use it to test the cluster's
 * health.
 */
function alarm(member: Member, message: Uint8Array, call: UnaryCall): void {
  const asked = decodeFor(call, AlarmRequest, message);
  if (asked === undefined) return;
  const guard = asked.action === AlarmRequest_AlarmAction.GET ? withWriter : withCurrentRoot;
  const request = { field: RequestField.alarm, body: message, growthBytes: 0, client: call };
  const raised: Done<Applied> = (applied) => {
    const outcome = applied instanceof KvError ? applied : applied.outcome;
    if (outcome instanceof KvError) {
      refuse(call, outcome);
      return;
    }
    const records = outcome.kind === "alarm" ? outcome.alarms : [];
    const alarms = records.map((record) => ({
      memberID: record.memberId,
      alarm: AlarmType[record.alarm],
    }));
    call.respond(AlarmResponse.encode({ header: headerOf(member), alarms }).finish());
  };
  guard(member, call, () => {
    member.write("/etcdserverpb.Maintenance/Alarm", request, owned(member, call, raised));
  });
}

/** Any member answers from its own knowledge, also a learner. */
function status(member: Member, message: Uint8Array, call: UnaryCall): void {
  if (decodeFor(call, StatusRequest, message) === undefined) return;
  const now = member.status();
  const answer = {
    header: headerOf(member),
    version: now.version,
    dbSize: BigInt(now.dbSize),
    leader: now.leader,
    raftIndex: BigInt(now.raftIndex),
    raftTerm: BigInt(now.raftTerm),
    raftAppliedIndex: BigInt(now.appliedIndex),
    errors: [...now.errors],
    dbSizeInUse: BigInt(now.dbSizeInUse),
    isLearner: now.isLearner,
    storageVersion: now.storageVersion,
    dbSizeQuota: BigInt(now.quotaBytes),
    downgradeInfo: {
      enabled: now.downgradeTarget !== undefined,
      targetVersion: now.downgradeTarget ?? "",
    },
    verifiedIndex: BigInt(now.verifiedIndex),
  };
  call.respond(StatusResponse.encode(answer).finish());
}

function hashKv(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decodeFor(call, HashKVRequest, message);
  if (request === undefined) return;
  const hashed: Parameters<Member["hashKv"]>[1] = (result) => {
    if (result instanceof KvError) {
      refuse(call, result);
      return;
    }
    const answer = {
      header: headerOf(member, result.currentRevision),
      hash: result.hash,
      compact_revision: BigInt(result.compactRevision),
      hash_revision: BigInt(result.hashRevision),
    };
    call.respond(HashKVResponse.encode(answer).finish());
  };
  member.hashKv(toSafe(request.revision), owned(member, call, hashed), call);
}

function snapshot(member: Member, hash: Hash, call: StreamCall): void {
  call.onMessage((message) => {
    const request = decodeOnStream(call, SnapshotRequest, message);
    if (request !== undefined) sendSnapshot(member, hash, call);
  });
}
