/**
 * The KV service. Reads answer from applied state after a read barrier; serializable reads answer
 * at once. Writes go to the log as the bytes that came; the service decodes them only as far as it
 * must check their form. A transaction that only reads does not touch the log.
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { toSafe } from "../base/int64.js";
import type { Method, UnaryCall } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import { isClusterCorrupt } from "../state/alarm/alarm-set.js";
import type { Applied, OpOutcome } from "../state/types.js";
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  RangeRequest,
  TxnRequest,
} from "../wire/gen/rpc.js";
import { openPut } from "../wire/internal-request.js";
import { KvResponseEncoder } from "../wire/kv-response.js";
import { RequestField } from "../wire/proposal.js";
import { learnerRefusalOf, refusalOf } from "./admission.js";
import {
  deleteFault,
  isReadOnly,
  isSerializable,
  putFault,
  putGrowth,
  rangeFault,
  txnFault,
  txnGrowth,
} from "./forms/request-form.js";
import { nestsDeeperThan } from "./forms/txn-depth.js";
import { overlapFault } from "./forms/txn-overlap.js";
import { owned } from "./owned.js";
import { decodeFor, headerOf, notAMessage, statusOf, valueFor } from "./status.js";

const service = "/etcdserverpb.KV/";
const putDecoder = { decode: openPut };

export function kvMethods(member: Member): Method[] {
  const kv = new KvService(member);
  const write = (name: string, handle: (request: Uint8Array, call: UnaryCall) => void): Method => ({
    path: service + name,
    kind: "unary",
    handle: (request, call) => {
      const refusal = refusalOf(member, call) ?? kv.corruption();
      if (refusal !== undefined) call.fail(statusOf(refusal));
      else handle(request, call);
    },
  });
  return [
    {
      path: `${service}Range`,
      kind: "unary",
      handle: (request, call) => kv.range(request, call),
    },
    write("Put", (request, call) => kv.put(request, call)),
    write("DeleteRange", (request, call) => kv.deleteRange(request, call)),
    write("Txn", (request, call) => kv.txn(request, call)),
    write("Compact", (request, call) => kv.compact(request, call)),
  ];
}

class KvService {
  readonly #member: Member;
  #encoder: KvResponseEncoder | undefined;

  constructor(member: Member) {
    this.#member = member;
  }

  /** While the CORRUPT alarm of the whole cluster is active, members serve no keys. */
  corruption(): KvError | undefined {
    const alarms = this.#member.machine.alarms();
    if (alarms.length === 0) return undefined;
    return alarms.some(isClusterCorrupt) ? new KvError("corrupt") : undefined;
  }

  /** A learner answers serializable ranges only. */
  range(message: Uint8Array, call: UnaryCall): void {
    const member = this.#member;
    const request = decodeFor(call, RangeRequest, message);
    if (request === undefined) return;
    const refusal =
      member.isLearner() && request.serializable
        ? learnerRefusalOf(member, call)
        : refusalOf(member, call);
    const fault = refusal ?? this.corruption() ?? rangeFault(request);
    if (fault !== undefined) call.fail(statusOf(fault));
    else this.#read(request.serializable, call, () => member.machine.kv.range(request));
  }

  put(message: Uint8Array, call: UnaryCall): void {
    const put = decodeFor(call, putDecoder, message);
    if (put === undefined) return;
    const fault = putFault(put);
    if (fault !== undefined) call.fail(statusOf(fault));
    else this.#write(RequestField.put, message, putGrowth(put), call);
  }

  deleteRange(message: Uint8Array, call: UnaryCall): void {
    const request = decodeFor(call, DeleteRangeRequest, message);
    if (request === undefined) return;
    const fault = deleteFault(request);
    if (fault !== undefined) call.fail(statusOf(fault));
    else this.#write(RequestField.deleteRange, message, 0, call);
  }

  txn(message: Uint8Array, call: UnaryCall): void {
    const member = this.#member;
    if (nestsDeeperThan(message, member.limits.txnOpsMax)) {
      call.fail(notAMessage);
      return;
    }
    const request = decodeFor(call, TxnRequest, message);
    if (request === undefined) return;
    const fault = txnFault(request, member.limits.txnOpsMax) ?? overlapFault(request);
    if (fault !== undefined) {
      call.fail(statusOf(fault));
    } else if (isReadOnly(request)) {
      this.#readTxn(request, call);
    } else {
      this.#write(RequestField.txn, message, txnGrowth(request), call);
    }
  }

  compact(message: Uint8Array, call: UnaryCall): void {
    const member = this.#member;
    const request = decodeFor(call, CompactionRequest, message);
    if (request === undefined) return;
    const answer: Done<number> = (result) => {
      if (result instanceof KvError) call.fail(statusOf(result));
      else call.respond(CompactionResponse.encode({ header: headerOf(member, result) }).finish());
    };
    member.compact(toSafe(request.revision), request.physical, owned(member, call, answer));
  }

  #read(isLocal: boolean, call: UnaryCall, read: () => OpOutcome): void {
    const answer: Done<void> = owned(this.#member, call, (refusal) => {
      if (refusal instanceof KvError) call.fail(statusOf(refusal));
      else if (!call.isOver) this.#answerRead(call, read);
    });
    if (isLocal) this.#member.whenSure(answer);
    else this.#member.readBarrier(answer);
  }

  /** Runs in slices, beside everything else. Begins again if another state replaces this one. */
  #readTxn(request: TxnRequest, call: UnaryCall): void {
    const member = this.#member;
    const answer: Done<void> = (refusal) => {
      if (refusal instanceof KvError) {
        call.fail(statusOf(refusal));
        return;
      }
      member.readTxn(request, (result) => {
        if (result instanceof KvError) call.fail(statusOf(result));
        else call.respond(this.#encode(result, result.revision));
      });
    };
    if (isSerializable(request)) member.whenSure(answer);
    else member.readBarrier(answer);
  }

  #answerRead(call: UnaryCall, read: () => OpOutcome): void {
    const outcome = valueFor(call, read);
    if (outcome === undefined) return;
    call.respond(this.#encode(outcome, this.#member.machine.kv.revision()));
  }

  #write(field: RequestField, body: Uint8Array, growthBytes: number, call: UnaryCall): void {
    this.#member.propose({ field, body, growthBytes }, this.#answer(call));
  }

  #answer(call: UnaryCall): Done<Applied> {
    return owned(this.#member, call, (applied) => {
      const outcome = applied instanceof KvError ? applied : applied.outcome;
      if (outcome instanceof KvError) call.fail(statusOf(outcome));
      else if ((applied as Applied).isAnswerTooLarge === true) {
        call.fail(statusOf(new KvError("answerTooLargeApplied")));
      } else if (!(applied instanceof KvError)) {
        call.respond(this.#encode(outcome as OpOutcome, applied.revision));
      }
    });
  }

  #encode(outcome: OpOutcome, revision: number): Uint8Array {
    const member = this.#member;
    this.#encoder ??= new KvResponseEncoder({ clusterId: member.clusterId, memberId: member.id });
    return this.#encoder.encode(outcome, revision, member.term());
  }
}
