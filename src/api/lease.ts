/**
 * The Lease service. Grants and revocations go through the log, renewals and remaining times are
 * the leader's to answer (the member passes them on). Answers on a keep-alive stream keep the
 * order of the requests; an unknown lease is answered with TTL 0 and does not end the stream.
 */
import { Code, KvError } from "../base/errors.js";
import type { Method, StreamCall, UnaryCall } from "../grpc/call.js";
import { type Member, RequestField } from "../member/types.js";
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
  type ResponseHeader,
} from "../wire/gen/rpc.js";
import { refusalOf } from "./admission.js";

const service = "/etcdserverpb.Lease/";
/** Renewals of one stream that may wait for an answer from the leader. */
const keepAlivesWaitingMax = 10_000;
/** etcd's transport says this of bytes that are no message. */
const notAMessage = {
  code: Code.internal,
  message: "grpc: failed to unmarshal the received message: unexpected EOF",
};

export function leaseMethods(member: Member): Method[] {
  const unary = (name: string, handle: (request: Uint8Array, call: UnaryCall) => void): Method => ({
    path: service + name,
    kind: "unary",
    handle: (request, call) => {
      const refusal = refusalOf(member, call);
      if (refusal !== undefined) call.fail(refusal);
      else handle(request, call);
    },
  });
  return [
    unary("LeaseGrant", (request, call) => grant(member, request, call)),
    unary("LeaseRevoke", (request, call) => revoke(member, request, call)),
    unary("LeaseTimeToLive", (request, call) => timeToLive(member, request, call)),
    unary("LeaseLeases", (_request, call) => listLeases(member, call)),
    {
      path: `${service}LeaseKeepAlive`,
      kind: "bidi",
      handle: (call) => {
        const refusal = refusalOf(member, call);
        if (refusal !== undefined) call.fail(refusal);
        else keepAlive(member, call);
      },
    },
  ];
}

function grant(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decode(LeaseGrantRequest, message, call);
  if (request === undefined) return;
  // Beyond a safe integer it is too large anyway, and below zero too small.
  const ttl = Math.min(Math.max(Number(request.TTL), 0), Number.MAX_SAFE_INTEGER);
  member.leaseGrant(request.ID, ttl, (result) => {
    if (result instanceof KvError) {
      call.fail(result);
      return;
    }
    const header = headerOf(member, result.revision);
    const answer = { header, ID: result.id, TTL: BigInt(result.ttl), error: "" };
    call.respond(LeaseGrantResponse.encode(answer).finish());
  });
}

function revoke(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decode(LeaseRevokeRequest, message, call);
  if (request === undefined) return;
  const body = LeaseRevokeRequest.encode(request).finish();
  member.propose({ field: RequestField.leaseRevoke, body, growthBytes: 0 }, (applied) => {
    const failure = applied instanceof KvError ? applied : applied.outcome;
    if (failure instanceof KvError) {
      call.fail(failure);
    } else if (!(applied instanceof KvError)) {
      const header = headerOf(member, applied.revision);
      call.respond(LeaseRevokeResponse.encode({ header }).finish());
    }
  });
}

function timeToLive(member: Member, message: Uint8Array, call: UnaryCall): void {
  const request = decode(LeaseTimeToLiveRequest, message, call);
  if (request === undefined) return;
  member.leaseTimeToLive(request.ID, request.keys, (result) => {
    if (result instanceof KvError) {
      call.fail(result);
      return;
    }
    const answer = {
      header: headerOf(member),
      ID: request.ID,
      TTL: BigInt(result.ttl),
      grantedTTL: BigInt(result.grantedTtl),
      keys: result.keys.map((key) => Buffer.from(key)),
    };
    call.respond(LeaseTimeToLiveResponse.encode(answer).finish());
  });
}

/** What this member has applied, as in etcd: a list without a read barrier. */
function listLeases(member: Member, call: UnaryCall): void {
  const leases = [...member.machine.leases.all()].map(({ id }) => ({ ID: id }));
  call.respond(LeaseLeasesResponse.encode({ header: headerOf(member), leases }).finish());
}

function keepAlive(member: Member, call: StreamCall): void {
  const session = new KeepAliveSession(member, call);
  call.onMessage((message) => session.receive(message));
  call.onHalfClose(() => session.halfClose());
  call.onCancel(() => session.cancel());
}

/** One renewal at a time; ends when the client has closed its side and all is answered. */
class KeepAliveSession {
  readonly #member: Member;
  readonly #call: StreamCall;
  readonly #waiting: Uint8Array[] = [];
  #isBusy = false;
  #isRunning = false;
  #isHalfClosed = false;
  #isOver = false;

  constructor(member: Member, call: StreamCall) {
    this.#member = member;
    this.#call = call;
  }

  receive(message: Uint8Array): void {
    this.#waiting.push(message);
    if (this.#waiting.length > keepAlivesWaitingMax) this.#fail(new KvError("tooManyRequests"));
    else this.#run();
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    this.#run();
  }

  cancel(): void {
    this.#isOver = true;
    this.#waiting.length = 0;
  }

  /** A loop and not a recursion: the leader answers within the call. */
  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (!this.#isBusy && !this.#isOver) {
      const message = this.#waiting.shift();
      if (message !== undefined) {
        this.#renew(message);
      } else {
        if (this.#isHalfClosed) {
          this.#isOver = true;
          this.#call.end();
        }
        break;
      }
    }
    this.#isRunning = false;
  }

  #renew(message: Uint8Array): void {
    const request = decode(LeaseKeepAliveRequest, message, this.#call);
    if (request === undefined) {
      this.cancel();
      return;
    }
    this.#isBusy = true;
    this.#member.leaseKeepAlive(request.ID, (result) => {
      this.#isBusy = false;
      if (this.#isOver) return;
      if (result instanceof KvError) {
        this.#fail(result);
        return;
      }
      const header = headerOf(this.#member);
      const answer = { header, ID: request.ID, TTL: BigInt(result.ttl) };
      this.#call.send(LeaseKeepAliveResponse.encode(answer).finish());
      this.#run();
    });
  }

  #fail(error: KvError): void {
    this.cancel();
    this.#call.fail(error);
  }
}

/** Undefined: the call was told that these bytes are no such message. */
function decode<T>(
  type: { decode(message: Uint8Array): T },
  message: Uint8Array,
  call: UnaryCall | StreamCall,
): T | undefined {
  try {
    return type.decode(message);
  } catch {
    call.fail(notAMessage);
    return undefined;
  }
}

function headerOf(member: Member, revision = member.machine.kv.revision()): ResponseHeader {
  return {
    cluster_id: member.clusterId,
    member_id: member.id,
    revision: BigInt(revision),
    raft_term: BigInt(member.term()),
  };
}
