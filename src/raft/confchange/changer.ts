/**
 * Computes the configuration that follows from a change: one voter at a time (simple), or any
 * change in two steps through a joint configuration (Raft thesis, chapter 4). Pure: the result is
 * new, and a refused change leaves the input untouched. Other code decides what may be proposed.
 */
import { compareIds } from "../quorum/joint.js";
import { type InflightLimits, Inflights } from "../tracker/inflights.js";
import { PeerProgress } from "../tracker/peer-progress.js";
import type { ConfChange, ConfState } from "../types.js";
import { assertConsistent } from "./consistency.js";

/** A configuration and the progress of its members, ascending by id. */
export interface Tracked {
  readonly config: ConfState;
  readonly peers: readonly PeerProgress[];
}

export interface ChangeContext {
  /** The last index of this member's log, where the probing of a new member starts. */
  readonly lastIndex: number;
  readonly limits: InflightLimits;
}

export type SingleChange = ConfChange["changes"][number];

/** The change cannot follow the current configuration. The texts are etcd-io/raft's. */
export class ConfChangeError extends Error {
  override readonly name = "ConfChangeError";
}

/** Changes at most one voter. @throws ConfChangeError */
export function changeSimple(
  from: Tracked,
  changes: readonly SingleChange[],
  context: ChangeContext,
): Tracked {
  const draft = new Draft(from, context);
  refuseIf(draft.outgoing.size > 0, "can't apply simple config change in joint config");
  draft.applyAll(changes);
  refuseIf(
    differences(new Set(from.config.voters), draft.incoming) > 1,
    "more than one voter changed without entering joint config",
  );
  return draft.finish(false);
}

/** Keeps the present voters as outgoing and applies the changes to the incoming ones. */
export function enterJoint(
  from: Tracked,
  change: { readonly autoLeave: boolean; readonly changes: readonly SingleChange[] },
  context: ChangeContext,
): Tracked {
  const draft = new Draft(from, context);
  refuseIf(draft.outgoing.size > 0, "config is already joint");
  refuseIf(draft.incoming.size === 0, "can't make a zero-voter config joint");
  for (const id of draft.incoming) draft.outgoing.add(id);
  draft.applyAll(change.changes);
  return draft.finish(change.autoLeave);
}

/** Drops the outgoing voters; staged learners become learners. */
export function leaveJointConfig(from: Tracked, context: ChangeContext): Tracked {
  const draft = new Draft(from, context);
  refuseIf(draft.outgoing.size === 0, "can't leave a non-joint config");
  draft.leave();
  return draft.finish(false);
}

/** The progress of every member of `config`, as for a member that just learnt of it. */
export function restoreConfig(config: ConfState, context: ChangeContext): Tracked {
  const draft = new Draft({ config, peers: [] }, context);
  for (const id of [...config.voters, ...config.votersOutgoing]) draft.track(id, false);
  for (const id of config.learners) draft.track(id, true);
  return draft.finish(config.autoLeave);
}

/** The working copy of one change. */
class Draft {
  readonly incoming: Set<bigint>;
  readonly outgoing: Set<bigint>;
  readonly #learners: Set<bigint>;
  readonly #learnersNext: Set<bigint>;
  readonly #peers: Map<bigint, PeerProgress>;
  readonly #context: ChangeContext;

  constructor({ config, peers }: Tracked, context: ChangeContext) {
    this.incoming = new Set(config.voters);
    this.outgoing = new Set(config.votersOutgoing);
    this.#learners = new Set(config.learners);
    this.#learnersNext = new Set(config.learnersNext);
    this.#peers = new Map(peers.map((peer) => [peer.id, peer]));
    this.#context = context;
  }

  applyAll(changes: readonly SingleChange[]): void {
    for (const { type, id } of changes) {
      // The state machine voids a change by clearing its id.
      if (id === 0n) continue;
      if (type === "addVoter") this.#addVoter(id);
      else if (type === "addLearner") this.#addLearner(id);
      else if (type === "remove") this.#remove(id);
    }
    refuseIf(this.incoming.size === 0, "removed all voters");
  }

  leave(): void {
    for (const id of this.#learnersNext) {
      this.#learners.add(id);
      this.#setLearner(id, true);
    }
    this.#learnersNext.clear();
    for (const id of this.outgoing) {
      if (!this.incoming.has(id) && !this.#learners.has(id)) this.#peers.delete(id);
    }
    this.outgoing.clear();
  }

  track(id: bigint, isLearner: boolean): void {
    if (this.#peers.has(id)) return;
    const next = Math.max(this.#context.lastIndex, 1);
    const inflights = new Inflights(this.#context.limits);
    const peer = new PeerProgress(id, { isLearner, next, inflights });
    // The new member counts as heard. Otherwise the quorum check could depose the leader before
    // that member can answer.
    peer.recentActive = true;
    this.#peers.set(id, peer);
  }

  finish(autoLeave: boolean): Tracked {
    const config: ConfState = {
      voters: ascending(this.incoming),
      learners: ascending(this.#learners),
      votersOutgoing: ascending(this.outgoing),
      learnersNext: ascending(this.#learnersNext),
      autoLeave,
    };
    const peers = [...this.#peers.values()].sort((a, b) => compareIds(a.id, b.id));
    assertConsistent(config, peers);
    return { config, peers };
  }

  #addVoter(id: bigint): void {
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    this.incoming.add(id);
    if (this.#peers.has(id)) this.#setLearner(id, false);
    else this.track(id, false);
  }

  #addLearner(id: bigint): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) {
      this.#learners.add(id);
      this.track(id, true);
      return;
    }
    if (peer.isLearner) return;
    this.#remove(id);
    this.#peers.set(id, peer);
    // A member is never voter and learner at once, so a voter of the outgoing half waits.
    if (this.outgoing.has(id)) {
      this.#learnersNext.add(id);
    } else {
      this.#learners.add(id);
      this.#setLearner(id, true);
    }
  }

  #remove(id: bigint): void {
    this.incoming.delete(id);
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    if (!this.outgoing.has(id)) this.#peers.delete(id);
  }

  #setLearner(id: bigint, isLearner: boolean): void {
    const peer = this.#peers.get(id) as PeerProgress;
    if (peer.isLearner !== isLearner) this.#peers.set(id, peer.withLearner(isLearner));
  }
}

function differences(a: ReadonlySet<bigint>, b: ReadonlySet<bigint>): number {
  let count = 0;
  for (const id of a) if (!b.has(id)) count++;
  for (const id of b) if (!a.has(id)) count++;
  return count;
}

function ascending(ids: ReadonlySet<bigint>): bigint[] {
  return [...ids].sort(compareIds);
}

function refuseIf(refused: boolean, text: string): void {
  if (refused) throw new ConfChangeError(text);
}
