/**
 * Takes a new configuration into use, and reacts to applied entries. A configuration counts from
 * the moment its entry is applied, at each member separately.
 */
import { InvariantViolation } from "../base/invariant.js";
import {
  type ChangeContext,
  ConfChangeError,
  changeSimple,
  enterJoint,
  leaveJointConfig,
  restoreConfig,
  type Tracked,
} from "./confchange/changer.js";
import { proposeLeaveJoint } from "./proposal.js";
import { advanceCommit, broadcastAppend, sendAppend } from "./replication.js";
import type { RaftState } from "./state.js";
import { becomeFollower } from "./transitions.js";
import type { ConfChange, ConfState } from "./types.js";

/** @throws InvariantViolation when the committed change cannot follow the configuration */
export function applyChange(state: RaftState, change: ConfChange): ConfState {
  const { tracker } = state;
  const context = { lastIndex: state.log.lastIndex(), limits: tracker.limits };
  const next = tracked(() => nextConfig(tracker, change, context));
  switchTo(state, next);
  return next.config;
}

/** Sets the configuration to start from. */
export function initConfig(state: RaftState, confState: ConfState): void {
  const { tracker } = state;
  const context = { lastIndex: state.log.lastIndex(), limits: tracker.limits };
  const { config, peers } = restoreConfig(confState, context);
  tracker.switchTo(config, peers);
}

/** Call when the entries up to `index` are applied. */
export function stepApplied(state: RaftState, index: number): void {
  const released = state.log.appliedTo(index);
  state.uncommittedBytes = Math.max(0, state.uncommittedBytes - released);
  // No later change can be pending in the log, so the node leaves the joint configuration.
  const isSettled = state.log.applied >= state.pendingConfIndex;
  if (state.tracker.config.autoLeave && isSettled && state.role === "leader") {
    proposeLeaveJoint(state);
  }
}

function nextConfig(from: Tracked, change: ConfChange, context: ChangeContext): Tracked {
  const { transition, changes } = change;
  if (transition === "auto" && changes.length === 0) return leaveJointConfig(from, context);
  if (transition === "auto" && changes.length === 1) return changeSimple(from, changes, context);
  const autoLeave = transition !== "jointExplicit";
  return enterJoint(from, { autoLeave, changes }, context);
}

function switchTo(state: RaftState, next: Tracked): void {
  const { tracker } = state;
  tracker.switchTo(next.config, next.peers);
  const own = tracker.peer(state.id);
  if (state.role !== "leader") return;
  if (own === undefined || own.isLearner) {
    if (state.config.stepDownOnRemoval === true) becomeFollower(state, state.term, 0n);
    return;
  }
  // Perhaps fewer voters must agree now, so more entries are committed. New members should not wait
  // for the next heartbeat.
  if (advanceCommit(state)) {
    broadcastAppend(state);
  } else {
    for (const peer of tracker.peers) if (peer.id !== state.id) sendAppend(state, peer, false);
  }
  if (state.leadTransferee !== 0n && !tracker.isVoter(state.leadTransferee)) {
    state.leadTransferee = 0n;
  }
}

function tracked(change: () => Tracked): Tracked {
  try {
    return change();
  } catch (error) {
    if (!(error instanceof ConfChangeError)) throw error;
    throw new InvariantViolation("a committed conf change does not fit", { why: error.message });
  }
}
