/**
 * The active configuration, the progress of every member in it, and the votes of the running
 * election. Members are in an array ascending by id, because messages are sent in this order. With
 * so few members a scan is faster than a map.
 */
import { type JointVoters, jointCommitted, jointIds, jointVote } from "../quorum/joint.js";
import { quorumIndex, type VoteResult } from "../quorum/majority.js";
import type { ConfState } from "../types.js";
import type { InflightLimits } from "./inflights.js";
import type { PeerProgress } from "./peer-progress.js";

export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export class ProgressTracker {
  readonly limits: InflightLimits;
  #config: ConfState = emptyConfState;
  #peers: readonly PeerProgress[] = [];
  #voters: JointVoters = { incoming: [], outgoing: [] };
  #incoming: readonly PeerProgress[] = [];
  #outgoing: readonly PeerProgress[] = [];
  readonly #votes = new Map<bigint, boolean>();
  readonly #scratch: number[] = [];

  constructor(limits: InflightLimits) {
    this.limits = limits;
  }

  /** @param peers ascending by id, one for every id of `config` */
  switchTo(config: ConfState, peers: readonly PeerProgress[]): void {
    this.#config = config;
    this.#peers = peers;
    this.#voters = { incoming: config.voters, outgoing: config.votersOutgoing };
    this.#incoming = peers.filter((peer) => config.voters.includes(peer.id));
    this.#outgoing = peers.filter((peer) => config.votersOutgoing.includes(peer.id));
  }

  get config(): ConfState {
    return this.#config;
  }

  /** The progress of all members, ascending by id. */
  get peers(): readonly PeerProgress[] {
    return this.#peers;
  }

  peer(id: bigint): PeerProgress | undefined {
    for (const peer of this.#peers) if (peer.id === id) return peer;
    return undefined;
  }

  voterIds(): bigint[] {
    return jointIds(this.#voters);
  }

  isVoter(id: bigint): boolean {
    return this.#voters.incoming.includes(id) || this.#voters.outgoing.includes(id);
  }

  isJoint(): boolean {
    return this.#voters.outgoing.length > 0;
  }

  /** True if there is one voter alone: its own disk is then the quorum. */
  isSingleVoter(): boolean {
    return this.#voters.incoming.length === 1 && this.#voters.outgoing.length === 0;
  }

  /** The highest index that a quorum has on disk. */
  committed(): number {
    return Math.min(this.#quorumMatch(this.#incoming), this.#quorumMatch(this.#outgoing));
  }

  /** The highest number that a quorum reported by `acked`. */
  quorumOf(acked: (id: bigint) => number | undefined): number {
    return jointCommitted(this.#voters, acked);
  }

  /** True if a quorum was heard from since the last check. */
  isQuorumActive(): boolean {
    const active = new Map<bigint, boolean>();
    for (const peer of this.#peers) if (!peer.isLearner) active.set(peer.id, peer.recentActive);
    return jointVote(this.#voters, active) === "won";
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  /** Only the first answer of a voter counts; a repeated message changes nothing. */
  recordVote(id: bigint, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  voteResult(): VoteResult {
    return jointVote(this.#voters, this.#votes);
  }

  #quorumMatch(peers: readonly PeerProgress[]): number {
    if (peers.length === 1) return (peers[0] as PeerProgress).match;
    this.#scratch.length = 0;
    for (const peer of peers) this.#scratch.push(peer.match);
    return quorumIndex(this.#scratch);
  }
}
