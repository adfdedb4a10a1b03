/**
 * A keep-alive stream: renewals come in, and answers go out in the order of the renewals. The
 * leader is asked for many at the same time, so that one read barrier serves them together.
 *
 * An answer promises the lease's time from the moment when the client reads it. So an answer that
 * arrives before the one in front of it is dropped, and the lease is renewed once more when its
 * turn has come.
 */
import { KvError } from "../../base/errors.js";
import type { StreamCall } from "../../grpc/call.js";
import type { Member } from "../../member/types.js";
import { leaseWriteRefusal, userRefusal } from "../../state/auth/rights.js";
import { LeaseKeepAliveRequest, LeaseKeepAliveResponse } from "../../wire/gen/rpc.js";
import { identify } from "../caller.js";
import { owned } from "../owned.js";
import { headerOf, notAStreamMessage, refuse } from "../status.js";

const rpc = "/etcdserverpb.Lease/LeaseKeepAlive";
/** How many renewals of one stream the leader is asked for at the same time. */
const askedMax = 256;

interface Renewal {
  readonly id: bigint;
  /** True if the answer has come before its turn. */
  isEarly: boolean;
}

/**
 * Stands for bytes that are no message. The client gets that error once everything before them is
 * answered.
 */
const noRenewal: Renewal = { id: 0n, isEarly: false };

export function keepAlive(member: Member, call: StreamCall): void {
  const session = new KeepAliveSession(member, call);
  call.onMessage((message) => session.receive(message));
  call.onHalfClose(() => session.halfClose());
  call.onCancel(() => session.cancel());
  call.onDrain(() => session.drained());
}

/** Ends when the client has closed its side and all is answered, or with the first error. */
class KeepAliveSession {
  readonly #member: Member;
  readonly #call: StreamCall;
  #waiting: Uint8Array[] = [];
  /** How many of `#waiting` were taken. */
  #taken = 0;
  readonly #asked: Renewal[] = [];
  /** True while the client does not read its answers: no further ones are made. */
  #isFull = false;
  #isRunning = false;
  #isHalfClosed = false;
  #isOver = false;

  constructor(member: Member, call: StreamCall) {
    this.#member = member;
    this.#call = call;
  }

  receive(message: Uint8Array): void {
    if (this.#isOver) return;
    this.#waiting.push(message);
    const refusal = this.#member.admitWaiting(rpc, this.#waiting.length - this.#taken);
    if (refusal !== undefined) this.#fail(refusal);
    else this.#run();
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    this.#run();
  }

  cancel(): void {
    this.#isOver = true;
    this.#waiting = [];
    this.#taken = 0;
    this.#asked.length = 0;
  }

  drained(): void {
    this.#isFull = false;
    this.#run();
  }

  /** A loop, not a recursion: the leader may answer within the call. */
  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (!this.#isFull && !this.#isOver && this.#asked.length < askedMax) {
      const message = this.#next();
      if (message === undefined) break;
      const renewal = renewalOf(message);
      this.#asked.push(renewal);
      if (renewal !== noRenewal) this.#ask(renewal);
      else if (this.#asked[0] === noRenewal) this.#refuseBytes();
    }
    this.#isRunning = false;
    const isAnswered = this.#asked.length === 0 && this.#waiting.length === 0;
    if (this.#isOver || !this.#isHalfClosed || !isAnswered) return;
    this.#isOver = true;
    this.#call.end();
  }

  #next(): Uint8Array | undefined {
    const message = this.#waiting[this.#taken];
    if (message === undefined) return undefined;
    this.#taken++;
    if (this.#taken === this.#waiting.length) {
      this.#waiting = [];
      this.#taken = 0;
    }
    return message;
  }

  #ask(renewal: Renewal): void {
    const call = this.#call;
    const member = this.#member;
    const { id } = renewal;
    const answered: Parameters<Member["leaseKeepAlive"]>[2] = (result) =>
      this.#answered(renewal, result);
    identify(member, call, (caller) => {
      const { machine } = member;
      const refusal =
        caller instanceof KvError
          ? caller
          : (userRefusal(machine.auth, caller) ?? leaseWriteRefusal(machine, caller, id));
      if (refusal !== undefined) answered(refusal);
      else member.leaseKeepAlive(call, id, owned(member, call, answered));
    });
  }

  #answered(renewal: Renewal, result: { readonly ttl: number } | KvError): void {
    if (this.#isOver) return;
    if (this.#asked[0] !== renewal) {
      renewal.isEarly = true;
      return;
    }
    if (result instanceof KvError) {
      this.#fail(result);
      return;
    }
    this.#asked.shift();
    const header = headerOf(this.#member);
    const answer = { header, ID: renewal.id, TTL: BigInt(result.ttl) };
    this.#isFull = !this.#call.send(LeaseKeepAliveResponse.encode(answer).finish());
    const next = this.#asked[0];
    if (next === noRenewal) {
      this.#refuseBytes();
    } else if (next?.isEarly) {
      next.isEarly = false;
      this.#ask(next);
    }
    this.#run();
  }

  #refuseBytes(): void {
    this.cancel();
    refuse(this.#call, notAStreamMessage);
  }

  #fail(error: KvError): void {
    this.cancel();
    refuse(this.#call, error);
  }
}

function renewalOf(message: Uint8Array): Renewal {
  try {
    return { id: LeaseKeepAliveRequest.decode(message).ID, isEarly: false };
  } catch {
    return noRenewal;
  }
}
