/**
 * How services answer: the header of every answer, and the only place where an error becomes a gRPC
 * status. A KvError carries its code and etcd's text and already is a status. Nothing here
 * catches an InvariantViolation or a DamageError: the member has to handle these.
 */
import { Code, DamageError, KvError } from "../base/errors.js";
import type { Call, Status, StreamCall, UnaryCall } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import type { ResponseHeader } from "../wire/gen/rpc.js";

/** The text of etcd's transport for bytes that are no message, in a unary call. */
export const notAMessage: Status = {
  code: Code.internal,
  message: "grpc: error unmarshalling request: unexpected EOF",
};

/** The text for bytes that are no message, on a stream. */
export const notAStreamMessage: Status = {
  code: Code.internal,
  message: "grpc: failed to unmarshal the received message: unexpected EOF",
};

export const unknownAction: Status = {
  code: Code.unknown,
  message: "etcdserver: unknown method",
};

export const asksForNothing: Status = {
  code: Code.invalidArgument,
  message: "the request asks for nothing",
};

export const unknownService: Status = { code: Code.notFound, message: "unknown service" };

/** The status that a client's library gives when its call was cancelled. */
export const callCanceled: Status = { code: Code.canceled, message: "context canceled" };

/**
 * A status with etcd's text and the code Unknown, for errors of lock and election that are not the
 * store's.
 */
export function unknownStatus(message: string): Status {
  return { code: Code.unknown, message };
}

/**
 * The error of a service that calls others. In etcd the inner error has lost its code by then: the
 * text stays, and the code is Unknown unless the caller has gone or its time is up.
 */
export function innerStatus({ code, message }: Status): Status {
  const isOver = code === Code.canceled || code === Code.deadlineExceeded;
  return isOver ? { code, message } : unknownStatus(message);
}

export const answersUnread: Status = {
  code: Code.resourceExhausted,
  message: "lockstep: the client does not read its answers",
};

export function statusOf(error: KvError): Status {
  return { code: error.code, message: error.message };
}

/** A refusal in the form in which etcd names it in a watch's cancel reason. */
export function refusalText(refusal: KvError): string {
  const name = codeNames[refusal.code] ?? "PermissionDenied";
  return `rpc error: code = ${name} desc = ${refusal.message}`;
}

const codeNames: Readonly<Record<number, string>> = {
  [Code.invalidArgument]: "InvalidArgument",
  [Code.permissionDenied]: "PermissionDenied",
  [Code.unauthenticated]: "Unauthenticated",
};

/** Ends the call with an error. Services end calls by no other way. */
export function refuse(call: Call, error: KvError | Status): void {
  call.fail(error instanceof KvError ? statusOf(error) : error);
}

/**
 * Decodes a message of a unary call. Undefined: the bytes are no such message, and the call has
 * ended with that error.
 */
export function decodeFor<T>(
  call: UnaryCall,
  type: { decode(message: Uint8Array): T },
  message: Uint8Array,
): T | undefined {
  return decoded(type, message) ?? refused(call, notAMessage);
}

/** As `decodeFor`, for a message on a stream. */
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
  refuse(call, status);
  return undefined;
}

/**
 * Returns the value. Undefined: the call has ended with the KvError. Other errors are thrown again.
 */
export function valueFor<T>(call: Call, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    // The client is told that this member has lost the data. The member goes into quarantine.
    if (error instanceof DamageError) refuse(call, new KvError("corrupt"));
    if (!(error instanceof KvError)) throw error;
    refuse(call, error);
    return undefined;
  }
}

export function headerOf(member: Member, revision = member.machine.kv.revision()): ResponseHeader {
  const { cluster_id, member_id, raft_term } = clusterHeaderOf(member);
  return { cluster_id, member_id, revision: BigInt(revision), raft_term };
}

/** The header of the Cluster service: without a revision. */
export function clusterHeaderOf(member: Member): ResponseHeader {
  return {
    cluster_id: member.clusterId,
    member_id: member.id,
    revision: 0n,
    raft_term: BigInt(member.term()),
  };
}
