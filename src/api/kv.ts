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
import { serve } from "./serve.js";
import { decodeFor, headerOf, notAMessage, refuse, valueFor } from "./status.js";

const putDecoder = { decode: openPut };

export function kvMethods(member: Member): Method[] {
  const kv = new KvService(member);
  return serve(member, "etcdserverpb.KV", {
    Range: (request, call) => kv.range(request, call),
    Put: (request, call) => kv.put(request, call),
    DeleteRange: (request, call) => kv.deleteRange(request, call),
    Txn: (request, call) => kv.txn(request, call),
    Compact: (request, call) => kv.compact(request, call),
  });
}

class KvService {
  readonly #member: Member;
  #encoder: KvResponseEncoder | undefined;

  constructor(member: Member) {
    this.#member = member;
  }

  range(message: Uint8Array, call: UnaryCall): void {
    const member = this.#member;
    const request = decodeFor(call, RangeRequest, message);
    if (request === undefined) return;
    const fault = rangeFault(request);
    if (fault !== undefined) refuse(call, fault);
    else this.#read(request.serializable, call, () => member.machine.kv.range(request));
  }

  put(message: Uint8Array, call: UnaryCall): void {
    const put = decodeFor(call, putDecoder, message);
    if (put === undefined) return;
    const fault = putFault(put);
    if (fault !== undefined) refuse(call, fault);
    else {
      const request = {
        field: RequestField.put,
        body: message,
        growthBytes: putGrowth(put),
        client: call,
      };
      this.#member.write("/etcdserverpb.KV/Put", request, this.#answer(call));
    }
  }

  deleteRange(message: Uint8Array, call: UnaryCall): void {
    const request = decodeFor(call, DeleteRangeRequest, message);
    if (request === undefined) return;
    const fault = deleteFault(request);
    if (fault !== undefined) refuse(call, fault);
    else {
      const request = {
        field: RequestField.deleteRange,
        body: message,
        growthBytes: 0,
        client: call,
      };
      this.#member.write("/etcdserverpb.KV/DeleteRange", request, this.#answer(call));
    }
  }

  txn(message: Uint8Array, call: UnaryCall): void {
    const member = this.#member;
    if (nestsDeeperThan(message, member.limits.txnOpsMax)) {
      refuse(call, notAMessage);
      return;
    }
    const request = decodeFor(call, TxnRequest, message);
    if (request === undefined) return;
    const fault = txnFault(request, member.limits.txnOpsMax) ?? overlapFault(request);
    if (fault !== undefined) {
      refuse(call, fault);
    } else if (isReadOnly(request)) {
      this.#readTxn(request, call);
    } else {
      const growthBytes = txnGrowth(request);
      const write = { field: RequestField.txn, body: message, growthBytes, client: call };
      member.write("/etcdserverpb.KV/Txn", write, this.#answer(call));
    }
  }

  compact(message: Uint8Array, call: UnaryCall): void {
    const member = this.#member;
    const request = decodeFor(call, CompactionRequest, message);
    if (request === undefined) return;
    const answer: Done<number> = (result) => {
      if (result instanceof KvError) refuse(call, result);
      else call.respond(CompactionResponse.encode({ header: headerOf(member, result) }).finish());
    };
    const { physical } = request;
    const of = { revision: toSafe(request.revision), physical };
    member.compact(call, of, owned(member, call, answer));
  }

  #read(isLocal: boolean, call: UnaryCall, read: () => OpOutcome): void {
    const answer: Done<void> = owned(this.#member, call, (refusal) => {
      if (refusal instanceof KvError) refuse(call, refusal);
      else if (!call.isOver) this.#answerRead(call, read);
    });
    this.#member.read("/etcdserverpb.KV/Range", { client: call, isLocal }, answer);
  }

  /** Runs in slices, beside everything else. Begins again if another state replaces this one. */
  #readTxn(request: TxnRequest, call: UnaryCall): void {
    const member = this.#member;
    const answer: Done<void> = (refusal) => {
      if (refusal instanceof KvError) {
        refuse(call, refusal);
        return;
      }
      member.readTxn(request, (result) => {
        if (result instanceof KvError) refuse(call, result);
        else call.respond(this.#encode(result, result.revision));
      });
    };
    const isLocal = isSerializable(request);
    member.read("/etcdserverpb.KV/Txn", { client: call, isLocal }, answer);
  }

  #answerRead(call: UnaryCall, read: () => OpOutcome): void {
    const outcome = valueFor(call, read);
    if (outcome === undefined) return;
    call.respond(this.#encode(outcome, this.#member.machine.kv.revision()));
  }

  #answer(call: UnaryCall): Done<Applied> {
    return owned(this.#member, call, (applied) => {
      const outcome = applied instanceof KvError ? applied : applied.outcome;
      if (outcome instanceof KvError) refuse(call, outcome);
      else if ((applied as Applied).isAnswerTooLarge === true) {
        refuse(call, new KvError("answerTooLargeApplied"));
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
