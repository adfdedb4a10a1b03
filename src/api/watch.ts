/**
 * The Watch service: one bidirectional stream carries many watchers. This file translates between
 * the wire and the watch hub. The hub owns order and flow; this file keeps no event.
 *
 * It holds etcd's rules of form: refused creations answer created and canceled with watch id -1,
 * cancels of unknown watchers get no answer, a client that closes its side still gets events.
 */
import { errorTable, KvError } from "../base/errors.js";
import type { Method, StreamCall } from "../grpc/call.js";
import { requiresLeader } from "../member/gate/rules.js";
import type { Member } from "../member/types.js";
import { rangeRefusal } from "../state/auth/rights.js";
import type { WatchNotice, WatchStream } from "../state/watch/hub.js";
import {
  WatchCreateRequest_FilterType as Filter,
  type WatchCreateRequest,
  WatchRequest,
} from "../wire/gen/rpc.js";
import type { Caller } from "../wire/proposal.js";
import {
  splitEvents,
  WatchResponseEncoder,
  type WatchResponseHead,
} from "../wire/watch-response.js";
import { identify } from "./caller.js";
import { serve } from "./serve.js";
import { decodeOnStream, refusalText, refuse } from "./status.js";
import { type WatcherClaim, WatchRights } from "./watch-rights.js";

/** Bytes that etcd's transport allows above the largest request. */
const transportOverheadBytes = 512 * 1024;
const noEvents: readonly never[] = [];

const cancelReasons = {
  emptyRange: "mvcc: watcher range is empty",
  duplicateId: "mvcc: duplicate watch ID provided on the WatchStream",
  badRevision: errorTable.compacted[1],
} as const;

const endReasons = {
  stopped: "stopped",
  overloaded: "tooManyRequests",
  noLeader: "noLeader",
  failed: "readFailed",
} as const;

export function watchMethods(member: Member): Method[] {
  let encoder: WatchResponseEncoder | undefined;
  return serve(member, "etcdserverpb.Watch", {
    Watch: (call) => {
      encoder ??= new WatchResponseEncoder({ clusterId: member.clusterId, memberId: member.id });
      openSession(member, encoder, call);
    },
  });
}

function openSession(member: Member, encoder: WatchResponseEncoder, call: StreamCall): void {
  const session = new WatchSession(member, encoder, call);
  call.onMessage((message) => session.receive(message));
  call.onDrain(() => session.stream.resume());
  call.onCancel(() => {
    session.close();
    refuse(call, new KvError("watchCanceled"));
  });
}

interface Creation {
  readonly claim: WatcherClaim;
  readonly isFragmented: boolean;
}

class WatchSession {
  readonly stream: WatchStream;
  readonly #member: Member;
  readonly #encoder: WatchResponseEncoder;
  readonly #call: StreamCall;
  /** Creations that have no answer yet, oldest first. */
  readonly #creating: Creation[] = [];
  /** Ids of watchers that want big messages in parts. */
  readonly #fragmented = new Set<bigint>();
  /** Requests behind a creation whose caller is not known yet. */
  readonly #behind: Uint8Array[] = [];
  #isIdentifying = false;
  readonly #rights: WatchRights;

  constructor(member: Member, encoder: WatchResponseEncoder, call: StreamCall) {
    this.#member = member;
    this.#encoder = encoder;
    this.#call = call;
    this.stream = member.watch.open((notice) => this.#owned(notice), requiresLeader(call));
    this.#rights = new WatchRights(member, (watchId) => this.stream.cancel(watchId));
  }

  /** Sends nothing more. */
  close(): void {
    this.#rights.close();
    this.stream.close();
  }

  receive(message: Uint8Array): void {
    if (!this.#isIdentifying) {
      this.#take(message);
      return;
    }
    const waiting = this.#behind.push(message);
    const refusal = this.#member.admitWaiting("/etcdserverpb.Watch/Watch", waiting);
    if (refusal === undefined) return;
    this.close();
    refuse(this.#call, refusal);
  }

  #take(message: Uint8Array): void {
    const request = decodeOnStream(this.#call, WatchRequest, message);
    if (request === undefined) {
      this.close();
      return;
    }
    const union = request.request_union;
    switch (union?.$case) {
      case "create_request":
        this.#authorize(union.value);
        break;
      case "cancel_request":
        this.stream.cancel(union.value.watch_id);
        break;
      case "progress_request":
        this.stream.requestProgress();
        break;
      default:
      // Ignores an unknown kind of request, as etcd does: a newer client may have sent it.
    }
  }

  /** Later requests of the stream wait until the caller is known. */
  #authorize(request: WatchCreateRequest): void {
    this.#isIdentifying = true;
    identify(this.#member, this.#call, (caller) => {
      this.#isIdentifying = false;
      if (caller instanceof KvError) this.#refuse(caller);
      else this.#decide(request, caller);
      while (!this.#isIdentifying && this.#behind.length > 0) {
        this.#take(this.#behind.shift() as Uint8Array);
      }
    });
  }

  #decide(request: WatchCreateRequest, caller: Caller): void {
    // An empty key stands for the smallest one.
    const key = request.key.length === 0 ? Buffer.alloc(1) : request.key;
    const claim = { username: caller.username, key, range_end: request.range_end };
    const refusal = rangeRefusal(this.#member.machine.auth, caller, claim);
    // As in etcd, an impossible revision is refused first.
    if (refusal === undefined || request.start_revision < 0n) this.#create(request, claim);
    else this.#refuse(refusal);
  }

  #refuse(refusal: KvError): void {
    const revision = this.#member.machine.kv.revision();
    const head = { revision, raftTerm: this.#member.term(), watchId: -1n };
    this.#send({ ...head, created: true, canceled: true, cancelReason: refusalText(refusal) });
  }

  #create(request: WatchCreateRequest, claim: WatcherClaim): void {
    this.#creating.push({ claim, isFragmented: request.fragment });
    this.stream.create({
      watchId: request.watch_id,
      key: claim.key,
      rangeEnd: request.range_end,
      startRevision: toRevision(request.start_revision),
      progressNotify: request.progress_notify,
      noPut: request.filters.includes(Filter.NOPUT),
      noDelete: request.filters.includes(Filter.NODELETE),
      prevKv: request.prev_kv,
    });
  }

  /** Notices come inside turns of consensus: an error here ends this stream, not that turn. */
  #owned(notice: WatchNotice): boolean {
    try {
      return this.#deliver(notice);
    } catch (error) {
      this.close();
      refuse(this.#call, this.#member.requestFailed(error));
      return false;
    }
  }

  #deliver(notice: WatchNotice): boolean {
    if (notice.kind === "ended") {
      this.#rights.close();
      refuse(this.#call, new KvError(endReasons[notice.cause]));
      return false;
    }
    const raftTerm = this.#member.term();
    if (notice.kind === "refused") {
      this.#creating.shift();
      const cancelReason = cancelReasons[notice.reason];
      const head = { revision: notice.revision, raftTerm, watchId: -1n, cancelReason };
      return this.#send({ ...head, created: true, canceled: true });
    }
    const { watchId, revision } = notice;
    const head = { revision, raftTerm, watchId };
    switch (notice.kind) {
      case "created":
        this.#created(watchId);
        return this.#send({ ...head, created: true });
      case "canceled":
        return this.#send({ ...head, ...this.#canceled(notice), canceled: true });
      case "progress":
        return this.#send(head);
      case "events":
        // The watcher ends soon; until then it gets nothing.
        if (!this.#rights.mayHaveEvents(watchId)) return true;
        if (this.#fragmented.has(watchId)) return this.#sendParts(head, notice.events);
        return this.#call.send(this.#encoder.encode(head, notice.events));
    }
  }

  #created(watchId: bigint): void {
    const creation = this.#creating.shift();
    if (creation === undefined) return;
    if (creation.isFragmented) this.#fragmented.add(watchId);
    this.#rights.created(watchId, creation.claim);
  }

  #canceled(notice: Extract<WatchNotice, { kind: "canceled" }>): Partial<WatchResponseHead> {
    this.#fragmented.delete(notice.watchId);
    const refusal = this.#rights.canceled(notice.watchId);
    const cancelReason = refusal === undefined ? "" : refusalText(refusal);
    return { compactRevision: notice.compactRevision, cancelReason };
  }

  /**
   * All parts of one notice are sent together, so that the events of one revision stay together.
   */
  #sendParts(head: WatchResponseHead, events: Parameters<typeof splitEvents>[0]): boolean {
    const bytesMax = this.#member.limits.requestBytesMax + transportOverheadBytes;
    const whole = this.#encoder.encode(head, events);
    if (whole.length < bytesMax || events.length < 2) return this.#call.send(whole);
    const fragmentHead = { ...head, fragment: true };
    const headLength = this.#encoder.encode(fragmentHead, noEvents).length;
    const parts = splitEvents(events, headLength, bytesMax);
    let hasRoom = true;
    for (const [place, part] of parts.entries()) {
      const isLast = place === parts.length - 1;
      hasRoom = this.#call.send(this.#encoder.encode(isLast ? head : fragmentHead, part));
    }
    return hasRoom;
  }

  #send(head: WatchResponseHead): boolean {
    return this.#call.send(this.#encoder.encode(head, noEvents));
  }
}

/** A value beyond any possible revision means never. */
function toRevision(revision: bigint): number {
  return Math.min(Number(revision), Number.MAX_SAFE_INTEGER);
}
