/** Serves the questions of other members about this member's state and about their own. */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { PeerMethod } from "../peers/codec.js";
import { encodeFingerprint } from "../state/fingerprint.js";
import type { Arbiter } from "./arbiter.js";
import {
  encodeOtherLog,
  findOtherLog,
  type OtherLogParts,
  serveLogSums,
} from "./divergence/other-log.js";
import type { Evidence } from "./evidence.js";
import type { FingerprintRing } from "./fingerprint-ring.js";
import { decodeHealRequest, HealRequest } from "./heal-request.js";
import { indexOf } from "./inquiry.js";
import type { MonitorParts } from "./monitor-parts.js";

export interface PeerRequestParts
  extends Pick<
    MonitorParts,
    | "clock"
    | "peers"
    | "machine"
    | "raft"
    | "request"
    | "firstIndex"
    | "entries"
    | "isStopped"
    | "contradicted"
    | "checkSelf"
    | "offer"
  > {
  readonly ring: Pick<FingerprintRing, "at">;
  readonly evidence: Pick<Evidence, "answer">;
  readonly arbiter: Pick<Arbiter, "handleRequest">;
  /** Why this member answers nothing about its state. Undefined: it answers. */
  refusal(): KvError | undefined;
  isInDoubt(): boolean;
  /** Another member says that this member's state is wrong at that log index. */
  contain(from: bigint, index: number): void;
}

/**
 * Registers the answers to all questions about integrity. Call it once, when the member is put
 * together.
 */
export function servePeerRequests(parts: PeerRequestParts): void {
  const { peers, machine, evidence, arbiter, contain } = parts;
  peers.serve(PeerMethod.integrityEvidence, (_from, body, done) => {
    const index = indexOf(body);
    if (Number.isSafeInteger(index)) evidence.answer(index, done);
    else done(new KvError("compacted"));
  });
  peers.serve(PeerMethod.integritySelfCheck, (_from, _body, done) => {
    const refusal = parts.refusal();
    if (refusal !== undefined) done(refusal);
    else parts.checkSelf((isSound) => done(Uint8Array.of(isSound ? 1 : 0)));
  });
  peers.serve(PeerMethod.integrityContain, (from, body, done) => {
    contain(from, indexOf(body));
    done(new Uint8Array(0));
  });
  peers.serve(PeerMethod.healRequest, (from, body, done) => {
    const healRequest = decodeHealRequest(body);
    const isMember = machine().cluster.member(from) !== undefined;
    if (healRequest === undefined || !isMember) {
      done(new KvError("memberNotFound"));
      return;
    }
    const { kind, index } = healRequest;
    const handle = (): void => done(arbiter.handleRequest(from, kind, index) ?? new Uint8Array(0));
    if (kind !== HealRequest.mayHeal || !parts.raft().isLeader()) handle();
    else giveLeave(parts, from, { handle, done });
  });
  serveOffers(parts);
  serveLogSums(peers, otherLogParts(parts));
}

/** A member whose log belongs to another history gets no leave to heal. A person has to decide. */
function giveLeave(
  parts: PeerRequestParts,
  from: bigint,
  answer: { handle(): void; readonly done: Done<Uint8Array> },
): void {
  findOtherLog(otherLogParts(parts), from, (found) => {
    if (found === undefined) answer.handle();
    else if (found instanceof KvError) answer.done(found);
    else {
      // The order matters: the member first hears which entries differ.
      answer.done(encodeOtherLog(found));
      parts.contradicted(from, found.last);
    }
  });
}

function otherLogParts(parts: PeerRequestParts): OtherLogParts {
  const { clock, raft, request } = parts;
  return {
    ...{ clock, request },
    firstIndex: () => parts.firstIndex(),
    entries: (low, high, bytesMax) => parts.entries(low, high, bytesMax),
    isStopped: () => parts.isStopped(),
    committedIndex: () => raft().committedIndex(),
    leaderEnd: () => ({ index: raft().lastIndex(), term: raft().term() }),
  };
}

/** No member may fetch a state that may be wrong. */
function serveOffers(parts: PeerRequestParts): void {
  const { ring } = parts;
  parts.peers.serve(PeerMethod.healOffer, (_from, _body, done) => {
    if (parts.refusal() !== undefined || parts.isInDoubt()) {
      done(new KvError("corrupt"));
      return;
    }
    parts.offer(({ manifest, index }) => {
      const fingerprint = ring.at(index);
      if (fingerprint === undefined) done(new KvError("compacted"));
      else done(Buffer.concat([manifest, encodeFingerprint(fingerprint)]));
    });
  });
}
