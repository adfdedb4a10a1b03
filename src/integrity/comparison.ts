/**
 * Compares the fingerprints of other members with this member's, at equal indexes. If this member
 * has not applied the index yet, the fingerprint waits. If the ring no longer holds the index, the
 * other member compares instead, because it gets this member's fingerprints too. So a slow member
 * is compared later, never skipped.
 */

import { invariant } from "../base/invariant.js";
import { digestVersion } from "../state/digest.js";
import { type Difference, differenceOf, type Fingerprint } from "../state/fingerprint.js";
import type { FingerprintRing } from "./fingerprint-ring.js";

export interface PeerView {
  /** The last index at which both states were equal; 0: none yet. */
  readonly verifiedIndex: number;
  readonly state: "unknown" | "equal" | "differs" | "not comparable";
}

/** Two fingerprints of one index that differ: by their logs, or by what was applied. */
export interface FoundDifference {
  readonly peer: bigint;
  readonly mine: Fingerprint;
  readonly theirs: Fingerprint;
  readonly difference: Exclude<Difference, "none">;
}

interface Peer {
  verifiedIndex: number;
  state: PeerView["state"];
  /** The oldest fingerprint whose index is not applied here yet. */
  waiting: Fingerprint | undefined;
}

export class Comparison {
  readonly #ring: FingerprintRing;
  readonly #differs: (found: FoundDifference) => void;
  readonly #equal: (peer: bigint, index: number) => void;
  readonly #peers = new Map<bigint, Peer>();
  /** How many peers have a fingerprint that waits. */
  #waiting = 0;

  constructor(
    ring: FingerprintRing,
    report: {
      differs(found: FoundDifference): void;
      equal(peer: bigint, index: number): void;
    },
  ) {
    this.#ring = ring;
    this.#differs = report.differs;
    this.#equal = report.equal;
  }

  received(from: bigint, fingerprint: Fingerprint): void {
    const peer = this.#peer(from);
    if (fingerprint.version !== digestVersion) {
      peer.state = "not comparable";
      return;
    }
    if (this.#ring.last === 0) return;
    if (fingerprint.index > this.#ring.last) {
      if (peer.waiting === undefined) {
        peer.waiting = fingerprint;
        this.#waiting++;
      }
      return;
    }
    this.#compare(from, peer, fingerprint);
  }

  /** Call when this member has applied further entries. */
  applied(): void {
    if (this.#waiting === 0) return;
    for (const [id, peer] of this.#peers) {
      const { waiting } = peer;
      if (waiting === undefined || waiting.index > this.#ring.last) continue;
      peer.waiting = undefined;
      invariant(this.#waiting > 0, "a fingerprint waits that was not counted", () => ({ id }));
      this.#waiting--;
      this.#compare(id, peer, waiting);
    }
  }

  view(id: bigint): PeerView {
    return this.#peers.get(id) ?? { verifiedIndex: 0, state: "unknown" };
  }

  /** The highest index at which another member had the same state. */
  verifiedIndex(): number {
    let highest = 0;
    for (const { verifiedIndex } of this.#peers.values())
      highest = Math.max(highest, verifiedIndex);
    return highest;
  }

  /** Call when another state replaces this member's. Earlier comparisons say nothing about it. */
  clear(): void {
    this.#peers.clear();
    this.#waiting = 0;
  }

  forget(id: bigint): void {
    if (this.#peers.get(id)?.waiting !== undefined) this.#waiting--;
    this.#peers.delete(id);
  }

  #peer(id: bigint): Peer {
    let peer = this.#peers.get(id);
    if (peer === undefined) {
      peer = { verifiedIndex: 0, state: "unknown", waiting: undefined };
      this.#peers.set(id, peer);
    }
    return peer;
  }

  #compare(id: bigint, peer: Peer, theirs: Fingerprint): void {
    const mine = this.#ring.at(theirs.index);
    if (mine === undefined) return;
    const difference = differenceOf(mine, theirs);
    if (difference === "none") {
      peer.state = "equal";
      peer.verifiedIndex = Math.max(peer.verifiedIndex, theirs.index);
      this.#equal(id, theirs.index);
      return;
    }
    peer.state = "differs";
    this.#differs({ peer: id, mine, theirs, difference });
  }
}
