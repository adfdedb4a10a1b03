/**
 * RPC KV/RangeStream (etcd 3.7): gives the result of a Range in several messages, which a client
 * merges. All but the last have rows only; the last has the header, `more` and `count`, too.
 *
 * All rows are of the revision at which the first page was read; if it is compacted meanwhile, the
 * stream ends with that error. A page is read when the client has taken the one before, so little
 * memory is held. If a client takes nothing for as long as an unread answer may wait, the stream
 * ends with that error. The first page has 10 rows; later ones grow and shrink towards the size of
 * the largest request.
 */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { toSafe } from "../base/int64.js";
import type { StreamCall } from "../grpc/call.js";
import type { Member, ReadAnswer } from "../member/types.js";
import { rangeRefusal } from "../state/auth/rights.js";
import type { RangeOutcome } from "../state/types.js";
import {
  RangeRequest,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from "../wire/gen/rpc.js";
import { keyOf } from "../wire/key-value.js";
import { KvResponseEncoder } from "../wire/kv-response.js";
import { bodyPiecesOf } from "../wire/kv-response-pieces.js";
import type { Caller } from "../wire/proposal.js";
import { delimited } from "../wire/protobuf-writer.js";
import { tokenRefusal, withCaller } from "./caller.js";
import { rangeFault } from "./forms/request-form.js";
import { owned } from "./owned.js";
import { decodeOnStream, refuse } from "./status.js";

const firstPageKeys = 10;
const rangeResponseTag = 0x0a;
const rpc = "/etcdserverpb.KV/RangeStream";

export function streamRange(member: Member, call: StreamCall): void {
  let isStarted = false;
  call.onMessage((message) => {
    if (isStarted) return;
    isStarted = true;
    const request = decodeOnStream(call, RangeRequest, message);
    if (request === undefined) return;
    const fault = streamFault(request);
    if (fault !== undefined) refuse(call, fault);
    else new RangeStream(member, call, request).start();
  });
}

function streamFault(request: RangeRequest): KvError | undefined {
  const fault = rangeFault(request);
  if (fault !== undefined) return fault;
  const { sort_order, sort_target, min_mod_revision, max_mod_revision } = request;
  const { min_create_revision, max_create_revision } = request;
  // Every range is in the order of ascending keys anyway.
  if (sort_order === SortOrder.DESCEND || sort_target !== SortTarget.KEY) {
    return new KvError("streamOrder");
  }
  const filters = [min_mod_revision, max_mod_revision, min_create_revision, max_create_revision];
  return filters.some((bound) => bound !== 0n) ? new KvError("streamFilter") : undefined;
}

class RangeStream {
  readonly #member: Member;
  readonly #call: StreamCall;
  readonly #request: RangeRequest;
  readonly #limit: number;
  /** The key where the next page begins. */
  #from: Uint8Array;
  #pageKeys = firstPageKeys;
  #sentKeys = 0;
  /** The revision of the rows, which the header shows, too. 0: nothing is read yet. */
  #revision = 0;
  #headerRevision = 0;
  #isReading = false;
  #isOver = false;
  #caller: Caller | undefined;
  /** The message that waits for the client. */
  #waiting: { close(): void } | undefined;

  constructor(member: Member, call: StreamCall, request: RangeRequest) {
    this.#member = member;
    this.#call = call;
    this.#request = request;
    this.#from = request.key;
    this.#limit = Math.max(0, toSafe(request.limit));
    this.#revision = Math.max(0, toSafe(request.revision));
  }

  start(): void {
    this.#call.onCancel(() => {
      this.#isOver = true;
      this.#waiting?.close();
    });
    this.#call.onDrain(() => {
      this.#waiting?.close();
      this.#goOn();
    });
    const isLocal = this.#request.serializable;
    this.#isReading = true;
    const ready: Done<void> = owned(this.#member, this.#call, (refusal) => {
      if (refusal instanceof KvError) this.#fail(refusal);
      else {
        withCaller(this.#member, this.#call, (caller) => {
          this.#caller = caller;
          this.#isReading = false;
          this.#goOn();
        });
      }
    });
    this.#member.read(rpc, { client: this.#call, isLocal }, ready);
  }

  /**
   * Checks the rights of the caller. Users may change while the stream is open, so this runs for
   * each page.
   */
  #denial(): KvError | undefined {
    const caller = this.#caller as Caller;
    const { auth } = this.#member.machine;
    return rangeRefusal(auth, caller, this.#request) ?? tokenRefusal(this.#member, caller);
  }

  #goOn(): void {
    if (this.#isReading || this.#isOver) return;
    const denial = this.#denial();
    if (denial !== undefined) {
      this.#fail(denial);
      return;
    }
    const left = this.#limit === 0 ? Number.POSITIVE_INFINITY : this.#limit - this.#sentKeys;
    const pageKeys = Math.min(this.#pageKeys, left);
    const isCount = this.#request.count_only;
    this.#ask({ limit: isCount ? 0n : BigInt(pageKeys) }, !isCount, (page) => {
      this.#headerRevision ||= page.revision;
      this.#revision ||= page.revision;
      this.#send(page.outcome, pageKeys === left);
    });
  }

  #ask(
    fields: Partial<RangeRequest>,
    isPage: boolean,
    then: (page: ReadAnswer<RangeOutcome>) => void,
  ): void {
    this.#isReading = true;
    const revision = BigInt(this.#revision);
    const request = { ...this.#request, key: Buffer.from(this.#from), revision, ...fields };
    const told: Done<ReadAnswer<RangeOutcome>> = owned(this.#member, this.#call, (page) => {
      this.#isReading = false;
      const denial = page instanceof KvError ? page : this.#denial();
      if (!(page instanceof KvError)) page.close();
      if (denial !== undefined) this.#fail(denial);
      else if (!this.#isOver) then(page as ReadAnswer<RangeOutcome>);
    });
    this.#member.readRange(request, this.#call, told, isPage);
  }

  #send(page: RangeOutcome, isLimitReached: boolean): void {
    const rows = bodyPiecesOf({ ...page, more: false, count: 0 });
    const keys = keysOf(page);
    this.#sentKeys += keys.count;
    if (this.#request.count_only) this.#end(page.count, false, rows);
    else if (!page.more) this.#end(this.#sentKeys, false, rows);
    else if (isLimitReached) this.#endAtLimit(rows);
    else this.#sendPage(rows, keys.last);
  }

  /** Ends the stream when the client's limit is reached. The further keys are only counted. */
  #endAtLimit(rows: readonly Uint8Array[]): void {
    this.#from = this.#request.key;
    this.#ask({ limit: 0n, count_only: true }, false, (counted) =>
      this.#end(counted.outcome.count, true, rows),
    );
  }

  #end(count: number, more: boolean, rows: readonly Uint8Array[]): void {
    const { clusterId, id: memberId } = this.#member;
    const encoder = new KvResponseEncoder({ clusterId, memberId });
    const header = encoder.encodeHeader(this.#headerRevision, this.#member.term());
    const rest = bodyPiecesOf({ kind: "range", kvs: [], more, count });
    this.#isOver = true;
    this.#call.send(delimited(rangeResponseTag, [header, ...rows, ...rest]));
    this.#call.end();
  }

  #sendPage(rows: readonly Uint8Array[], last: Uint8Array): void {
    const message = delimited(rangeResponseTag, rows);
    const target = this.#member.limits.requestBytesMax;
    if (message.length < target / 2) this.#pageKeys *= 2;
    else if (message.length > target * 2) this.#pageKeys = Math.max(1, this.#pageKeys >> 1);
    // The first key behind the last one of this page.
    this.#from = Buffer.concat([last, Uint8Array.of(0)]);
    if (this.#call.send(message)) this.#goOn();
    else {
      const unread = owned(this.#member, this.#call, (reason: KvError) => this.#fail(reason));
      this.#waiting = this.#member.holdAnswer(message.length, unread);
    }
  }

  #fail(reason: KvError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting?.close();
    refuse(this.#call, reason);
  }
}

/** The number of rows of a page, and its last key. */
function keysOf(page: RangeOutcome): { readonly count: number; readonly last: Uint8Array } {
  const { kvs, encoded } = page;
  if (encoded !== undefined) return { count: encoded.length, last: encoded.lastKey };
  const last = kvs.at(-1);
  return { count: kvs.length, last: last === undefined ? new Uint8Array(0) : keyOf(last) };
}
