/**
 * The KV service. Reads answer from applied state after a read barrier; serializable reads answer
 * at once. Writes go to the log as the bytes that came; the service decodes them only as far as it
 * must check their form. A transaction that only reads does not touch the log.
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { toSafe } from "../base/int64.js";
import type { Method, UnaryCall } from "../grpc/call.js";
import type { WriteRequest } from "../member/gate/requests.js";
import type { ReadingRpc, WritingRpc } from "../member/gate/table.js";
import type { Member, ReadAnswer } from "../member/types.js";
import { rangeRefusal, txnRefusal } from "../state/auth/rights.js";
import type { Applied, OpOutcome } from "../state/types.js";
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  RangeRequest,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  TxnRequest,
} from "../wire/gen/rpc.js";
import { openPut } from "../wire/internal-request.js";
import { KvResponseEncoder } from "../wire/kv-response.js";
import { isInPieces, piecesOf } from "../wire/kv-response-pieces.js";
import { type Caller, RequestField } from "../wire/proposal.js";
import { AnswerPieces } from "./answer-pieces.js";
import { tokenRefusal, withCaller, withWriter } from "./caller.js";
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
import { streamRange } from "./range-stream.js";
import { serve } from "./serve.js";
import { decodeFor, headerOf, notAMessage, refuse, valueFor } from "./status.js";

/** Ranges of at most this many keys are answered at once. */
const quickKeysMax = 32;
const rangeRpc = "/etcdserverpb.KV/Range";
const putDecoder = { decode: openPut };

export function kvMethods(member: Member): Method[] {
  const kv = new KvService(member);
  return serve(member, "etcdserverpb.KV", {
    Range: (request, call) => kv.range(request, call),
    RangeStream: (call) => streamRange(member, call),
    Put: (request, call) => kv.put(request, call),
    DeleteRange: (request, call) => kv.deleteRange(request, call),
    Txn: (request, call) => kv.txn(request, call),
    Compact: (request, call) => kv.compact(request, call),
  });
}

interface ReadCall {
  readonly call: UnaryCall;
  /** True: applied state is enough. */
  readonly isLocal: boolean;
  /** Why this caller may not read what is asked. Undefined: it may. */
  refusal(caller: Caller): KvError | undefined;
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
    if (fault !== undefined) {
      refuse(call, fault);
    } else if (isQuick(request)) {
      this.#readNow(request, call);
    } else {
      const of = this.#rangeCall(request, call);
      this.#readInSlices(rangeRpc, of, (done) => member.readRange(request, call, done));
    }
  }

  put(message: Uint8Array, call: UnaryCall): void {
    const put = decodeFor(call, putDecoder, message);
    if (put === undefined) return;
    const fault = putFault(put);
    if (fault !== undefined) refuse(call, fault);
    else {
      const growthBytes = putGrowth(put);
      const request = { field: RequestField.put, body: message, growthBytes };
      this.#write("/etcdserverpb.KV/Put", request, call);
    }
  }

  deleteRange(message: Uint8Array, call: UnaryCall): void {
    const request = decodeFor(call, DeleteRangeRequest, message);
    if (request === undefined) return;
    const fault = deleteFault(request);
    if (fault !== undefined) refuse(call, fault);
    else {
      const deletion = { field: RequestField.deleteRange, body: message, growthBytes: 0 };
      this.#write("/etcdserverpb.KV/DeleteRange", deletion, call);
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
      const of = {
        call,
        isLocal: isSerializable(request),
        refusal: (caller: Caller) => txnRefusal(member.machine, caller, request),
      };
      this.#readInSlices("/etcdserverpb.KV/Txn", of, (done) => member.readTxn(request, call, done));
    } else {
      const growthBytes = txnGrowth(request);
      const write = { field: RequestField.txn, body: message, growthBytes };
      this.#write("/etcdserverpb.KV/Txn", write, call);
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

  /** Reads at once, without a job. */
  #readNow(request: RangeRequest, call: UnaryCall): void {
    // Another state may have taken this one's place by the time of the read.
    const read = (): OpOutcome => this.#member.machine.kv.range(request);
    this.#whenReadable(rangeRpc, this.#rangeCall(request, call), () =>
      this.#answerRead(call, read),
    );
  }

  #rangeCall(request: RangeRequest, call: UnaryCall): ReadCall {
    const refusal = (caller: Caller) => rangeRefusal(this.#member.machine.auth, caller, request);
    return { call, isLocal: request.serializable, refusal };
  }

  #readInSlices<T extends OpOutcome>(
    rpc: ReadingRpc,
    of: ReadCall,
    read: (done: Done<ReadAnswer<T>>) => void,
  ): void {
    this.#whenReadable(rpc, of, (caller) => {
      const { operations } = this.#member;
      const sinceMs = operations.begin();
      const answer: Done<ReadAnswer<T>> = (result) => {
        const isDone = !(result instanceof KvError);
        operations.readEnded(sinceMs, isDone, isDone ? rangesOf(result.outcome) : 1);
        // Users may have changed since the read began, also by another state in its place.
        const late = result instanceof KvError ? result : this.#readRefusal(of, caller);
        if (late === undefined) this.#respond(of.call, result as ReadAnswer<T>);
        else {
          if (!(result instanceof KvError)) result.close();
          refuse(of.call, late);
        }
      };
      read(owned(this.#member, of.call, answer));
    });
  }

  /** Calls `read` when this caller may read the state, at once within that call. */
  #whenReadable(rpc: ReadingRpc, of: ReadCall, read: (caller: Caller) => void): void {
    const { call, isLocal } = of;
    const ready: Done<void> = owned(this.#member, call, (refusal) => {
      if (refusal instanceof KvError) refuse(call, refusal);
      else if (!call.isOver) {
        withCaller(this.#member, call, (caller) => {
          const denial = this.#readRefusal(of, caller);
          if (denial === undefined) read(caller);
          else refuse(call, denial);
        });
      }
    });
    this.#member.read(rpc, { client: call, isLocal }, ready);
  }

  #readRefusal(of: ReadCall, caller: Caller): KvError | undefined {
    return of.refusal(caller) ?? tokenRefusal(this.#member, caller);
  }

  #respond(call: UnaryCall, answer: ReadAnswer<OpOutcome>): void {
    const { outcome, revision } = answer;
    if (!isInPieces(outcome)) {
      answer.close();
      call.respond(this.#encode(outcome, revision));
      return;
    }
    const header = this.#encoderNow().encodeHeader(revision, this.#member.term());
    answer.onEnd((reason) => refuse(call, reason));
    call.respondInPieces(new AnswerPieces(piecesOf(header, outcome), answer));
  }

  #answerRead(call: UnaryCall, read: () => OpOutcome): void {
    const { operations } = this.#member;
    const sinceMs = operations.begin();
    const outcome = valueFor(call, read);
    operations.readEnded(sinceMs, outcome !== undefined);
    if (outcome === undefined) return;
    call.respond(this.#encode(outcome, this.#member.machine.kv.revision()));
  }

  #write(
    rpc: WritingRpc,
    { field, body, growthBytes }: Pick<WriteRequest, "field" | "body" | "growthBytes">,
    call: UnaryCall,
  ): void {
    withWriter(this.#member, call, (caller) => {
      const request = { field, body, growthBytes, client: call, caller };
      this.#member.write(rpc, request, this.#answer(call));
    });
  }

  #answer(call: UnaryCall): Done<Applied> {
    return owned(this.#member, call, (applied) => {
      const outcome = applied instanceof KvError ? applied : applied.outcome;
      if (outcome instanceof KvError) refuse(call, outcome);
      else if ((applied as Applied).isAnswerTooLarge === true) {
        refuse(call, new KvError("answerTooLargeApplied"));
      } else if (!(applied instanceof KvError)) {
        this.#answerWrite(call, outcome as OpOutcome, applied.revision);
      }
    });
  }

  /** Sends many former values to the transport in pieces, as fast as the client reads them. */
  #answerWrite(call: UnaryCall, outcome: OpOutcome, revision: number): void {
    if (!isInPieces(outcome)) {
      call.respond(this.#encode(outcome, revision));
      return;
    }
    const header = this.#encoderNow().encodeHeader(revision, this.#member.term());
    const pieces = piecesOf(header, outcome);
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const held = this.#member.holdAnswer(bytes, (reason) => refuse(call, reason));
    call.respondInPieces(new AnswerPieces(pieces, held));
  }

  #encode(outcome: OpOutcome, revision: number): Uint8Array {
    return this.#encoderNow().encode(outcome, revision, this.#member.term());
  }

  #encoderNow(): KvResponseEncoder {
    const { clusterId, id: memberId } = this.#member;
    this.#encoder ??= new KvResponseEncoder({ clusterId, memberId });
    return this.#encoder;
  }
}

function rangesOf(outcome: OpOutcome): number {
  return outcome.kind === "txn" ? outcome.responses.length : 1;
}

/** True for a read of a few keys, which the index finds at once. */
function isQuick(request: RangeRequest): boolean {
  if (request.range_end.length === 0) return true;
  if (request.count_only || request.limit <= 0n || request.limit > quickKeysMax) return false;
  return request.revision <= 0n && isInKeyOrder(request);
}

function isInKeyOrder(request: RangeRequest): boolean {
  const { sort_order, sort_target, min_mod_revision, max_mod_revision } = request;
  const { min_create_revision, max_create_revision } = request;
  const isFiltered =
    min_mod_revision !== 0n ||
    max_mod_revision !== 0n ||
    min_create_revision !== 0n ||
    max_create_revision !== 0n;
  return !isFiltered && sort_order !== SortOrder.DESCEND && sort_target === SortTarget.KEY;
}
