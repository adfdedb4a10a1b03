/**
 * Raft consensus as a state machine without I/O: events go in by `step`, work comes out by
 * `takeReady`. Nothing here reads a clock, draws unseeded randomness, or awaits.
 *
 * Contract with the driver:
 *  1. `send` may leave at once; `append.sendAfter` only when that append is durable.
 *  2. `append`s become durable in order; each with entries is reported by one `persisted`.
 *  3. `apply` entries are applied in order and answered by `applied`. For a configuration change
 *     among them, `applyConfChange` is called before that.
 */
import { unreachable } from "../base/invariant.js";
import type { Rng } from "../platform/rng.js";
import { stepSnapshotReported, stepUnreachable } from "./acknowledgement.js";
import { contradict } from "./contradiction.js";
import { standForElection, tickElection } from "./election.js";
import { tickLeader } from "./leader.js";
import { applyChange, initConfig, stepApplied } from "./membership.js";
import { isLocalType, isResponseType, makeMessage } from "./message.js";
import { propose } from "./proposal.js";
import { ReadySource } from "./ready-source.js";
import { RaftState } from "./state.js";
import { stepByRole, stepMessage } from "./step.js";
import type { PeerProgress } from "./tracker/peer-progress.js";
import { becomeFollower } from "./transitions.js";
import {
  type ConfChange,
  type ConfState,
  type LogStorage,
  type Message,
  type Progress,
  ProposalDropped,
  type RaftConfig,
  type RaftEvent,
  type RaftNode,
  type RaftStatus,
  type Ready,
} from "./types.js";

/** Starts as a follower without a leader, from the content of `storage`. */
export function createRaftNode(config: RaftConfig, storage: LogStorage, rng: Rng): RaftNode {
  return new Node(config, storage, rng);
}

class Node implements RaftNode {
  readonly #state: RaftState;
  readonly #ready: ReadySource;

  constructor(config: RaftConfig, storage: LogStorage, rng: Rng) {
    this.#state = startState(config, storage, rng);
    this.#ready = new ReadySource(this.#state);
  }

  step(event: RaftEvent): void {
    stepEvent(this.#state, event);
  }

  takeReady(): Ready | undefined {
    return this.#ready.take();
  }

  applyConfChange(change: ConfChange | undefined): ConfState {
    return change === undefined ? this.#state.tracker.config : applyChange(this.#state, change);
  }

  status(): RaftStatus {
    return raftStatusOf(this.#state);
  }

  id(): bigint {
    return this.#state.id;
  }

  lastIndex(): number {
    return this.#state.log.lastIndex();
  }

  leader(): bigint {
    return this.#state.leader;
  }

  term(): number {
    return this.#state.term;
  }

  isLeader(): boolean {
    return this.#state.role === "leader";
  }

  committedIndex(): number {
    return this.#state.log.committed;
  }

  isDoubtful(): boolean {
    const { leader, id, isDoubtful, hasHeardLeader } = this.#state;
    return leader !== 0n && leader !== id && (isDoubtful || !hasHeardLeader);
  }
}

/** @internal Exported for the conformance suite, which looks behind RaftNode. */
export function startState(config: RaftConfig, storage: LogStorage, rng: Rng): RaftState {
  const state = new RaftState(config, storage, rng);
  initConfig(state, storage.initialState().confState);
  becomeFollower(state, state.term, 0n);
  return state;
}

/** @internal See startState. */
export function stepEvent(state: RaftState, event: RaftEvent): void {
  switch (event.kind) {
    case "tick":
      state.role === "leader" ? tickLeader(state) : tickElection(state);
      return;
    case "received":
      stepReceived(state, event.message);
      return;
    case "proposed":
      stepProposed(state, event.entries);
      return;
    case "persisted":
      state.log.unstable.persisted(event.index, event.term);
      return;
    case "snapshotInstalled":
      state.log.unstable.snapshotInstalled(event.index);
      stepApplied(state, event.index);
      return;
    case "applied":
      stepApplied(state, event.index);
      return;
    case "readIndex":
      stepByRole(state, makeMessage({ type: "MsgReadIndex", to: state.id, context: event.id }));
      return;
    case "campaign":
      standForElection(state, state.config.preVote ? "preVote" : "vote");
      return;
    case "transferLeader":
      stepByRole(state, makeMessage({ type: "MsgTransferLeader", to: state.id, from: event.to }));
      return;
    case "forgetLeader":
      stepByRole(state, makeMessage({ type: "MsgForgetLeader", to: state.id }));
      return;
    case "mayLead":
      state.mayLead = event.isAllowed;
      return;
    case "stepDown":
      if (state.role === "leader") becomeFollower(state, state.term, 0n);
      return;
    case "contradicted":
      if (event.id === state.id) state.isContradicted = true;
      else ifFollowed(state, event.id, (peer) => contradict(state, peer, event.committed));
      return;
    case "unreachable":
      ifFollowed(state, event.id, stepUnreachable);
      return;
    case "snapshotReported":
      ifFollowed(state, event.id, (peer) => stepSnapshotReported(peer, event.ok));
      return;
    default:
      unreachable(event);
  }
}

/** @internal See startState. */
export function raftStatusOf(state: RaftState): RaftStatus {
  const progress = new Map<bigint, Progress>();
  if (state.role === "leader") {
    for (const peer of state.tracker.peers) {
      const { id, match, next, state: flow, isLearner, recentActive, paused } = peer;
      const { isContradicting } = peer;
      const known = { match, next, state: flow, isLearner, recentActive, paused, isContradicting };
      progress.set(id, known);
    }
  }
  return {
    id: state.id,
    term: state.term,
    vote: state.vote,
    commit: state.log.committed,
    applied: state.log.applied,
    leader: state.leader,
    role: state.role,
    lastIndex: state.log.lastIndex(),
    leadTransferee: state.leadTransferee,
    confState: state.tracker.config,
    progress,
  };
}

/**
 * @internal True for an answer from a removed member, possibly this member itself. It is ignored.
 */
export function isFromStranger(state: RaftState, message: Message): boolean {
  return isResponseType(message.type) && state.tracker.peer(message.from) === undefined;
}

/** A message from another member, or one of this member's own after its append became durable. */
function stepReceived(state: RaftState, message: Message): void {
  const { type } = message;
  if (isLocalType(type) || isFromStranger(state, message)) return;
  const isTermless = type === "MsgProp" || type === "MsgReadIndex";
  if (message.term === 0 && !isTermless) return;
  try {
    stepMessage(state, message);
  } catch (error) {
    // The proposer at another member gets no answer, and will time out.
    if (!(error instanceof ProposalDropped)) throw error;
  }
}

function stepProposed(
  state: RaftState,
  proposed: Extract<RaftEvent, { kind: "proposed" }>["entries"],
): void {
  // The hot path: a leader takes the entries as they are.
  if (state.role === "leader") {
    propose(state, proposed);
    return;
  }
  const entries = proposed.map(({ type, data }) => ({ term: 0, index: 0, type, data }));
  stepByRole(state, makeMessage({ type: "MsgProp", to: state.id, from: state.id, entries }));
}

function ifFollowed(state: RaftState, id: bigint, then: (peer: PeerProgress) => void): void {
  const peer = state.role === "leader" ? state.tracker.peer(id) : undefined;
  if (peer !== undefined) then(peer);
}
