/** What other members may ask this one about its state, and about theirs. */
import { KvError } from "../base/errors.js";
import { PeerMethod } from "../peers/codec.js";
import { encodeFingerprint } from "../state/fingerprint.js";
import type { Arbiter } from "./arbiter.js";
import type { Evidence } from "./evidence.js";
import type { FingerprintRing } from "./fingerprint-ring.js";
import { decodeRepairRequest } from "./heal-request.js";
import { indexOf } from "./inquiry.js";
import type { MonitorParts } from "./monitor-parts.js";

export interface PeerRequestParts
  extends Pick<MonitorParts, "peers" | "machine" | "checkSelf" | "offer"> {
  readonly ring: FingerprintRing;
  readonly evidence: Evidence;
  readonly arbiter: Arbiter;
  /** Why this member answers nothing about its state. */
  refusal(): KvError | undefined;
  isInDoubt(): boolean;
  /** A member says that our state is wrong at that log index. */
  contain(from: bigint, index: number): void;
}

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
  peers.serve(PeerMethod.repairRequest, (from, body, done) => {
    const repairRequest = decodeRepairRequest(body);
    const isMember = machine().cluster.member(from) !== undefined;
    const refusal =
      repairRequest === undefined || !isMember
        ? new KvError("memberNotFound")
        : arbiter.handleRequest(from, repairRequest.kind, repairRequest.index);
    done(refusal ?? new Uint8Array(0));
  });
  serveOffers(parts);
}

/** A state that may be wrong is given to nobody. */
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
