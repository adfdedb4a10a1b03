/**
 * How services answer: the only place where an error of ours becomes a gRPC status, and the header
 * that every answer begins with. A KvError carries its code and etcd's text and is a status already;
 * an InvariantViolation or a DamageError is never caught here: the member has to stop.
 */
import { Code, DamageError, KvError } from "../base/errors.js";
import type { Call, Status, StreamCall, UnaryCall } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import type { ResponseHeader } from "../wire/gen/rpc.js";

/** etcd's transport says this of bytes that are no message: of a unary call's request. */
export const notAMessage: Status = {
  code: Code.internal,
  message: "grpc: error unmarshalling request: unexpected EOF",
};

/** The same of a message on a stream. */
export const notAStreamMessage: Status = {
  code: Code.internal,
  message: "grpc: failed to unmarshal the received message: unexpected EOF",
};

export function statusOf(error: KvError): Status {
  return { code: error.code, message: error.message };
}

/** Undefined: the call was told that these bytes are no such message. */
export function decodeFor<T>(
  call: UnaryCall,
  type: { decode(message: Uint8Array): T },
  message: Uint8Array,
): T | undefined {
  return decoded(type, message) ?? refused(call, notAMessage);
}

/** As decodeFor, of a message on a stream. */
export function decodeOnStream<T>(
  call: StreamCall,
  type: { decode(message: Uint8Array): T },
  message: Uint8Array,
): T | undefined {
  return decoded(type, message) ?? refused(call, notAStreamMessage);
}

function decoded<T>(type: { decode(message: Uint8Array): T }, message: Uint8Array): T | undefined {
  try {
    return type.decode(message);
  } catch {
    return undefined;
  }
}

function refused(call: Call, status: Status): undefined {
  call.fail(status);
  return undefined;
}

/** The value, or undefined after the call was told of the KvError. Other errors pass. */
export function valueFor<T>(call: Call, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    // The client is told that these data are lost here; the member goes into quarantine.
    if (error instanceof DamageError) call.fail(statusOf(new KvError("corrupt")));
    if (!(error instanceof KvError)) throw error;
    call.fail(statusOf(error));
    return undefined;
  }
}

export function headerOf(member: Member, revision = member.machine.kv.revision()): ResponseHeader {
  return { ...clusterHeaderOf(member), revision: BigInt(revision) };
}

/** As the Cluster service answers: without a revision. */
export function clusterHeaderOf(member: Member): ResponseHeader {
  return {
    cluster_id: member.clusterId,
    member_id: member.id,
    revision: 0n,
    raft_term: BigInt(member.term()),
  };
}
