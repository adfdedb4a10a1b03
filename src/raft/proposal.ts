/** Takes proposals into a leader's log. It takes all entries of one proposal, or none. */
import { invariant } from "../base/invariant.js";
import { payloadBytes } from "./log/entry-bytes.js";
import { broadcastAppend } from "./replication.js";
import type { RaftState } from "./state.js";
import { type Entry, EntryType, leaveJoint, ProposalDropped } from "./types.js";

export interface ProposedEntry {
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** Appends and sends. @throws ProposalDropped */
export function propose(state: RaftState, proposed: readonly ProposedEntry[]): void {
  invariant(proposed.length > 0, "a proposal has entries");
  if (state.tracker.peer(state.id) === undefined) throw new ProposalDropped("removed");
  if (state.leadTransferee !== 0n) throw new ProposalDropped("transferring");
  const pendingBefore = state.pendingConfIndex;
  const checked = withoutRefusedChanges(state, proposed);
  if (!appendOwn(state, checked)) {
    state.pendingConfIndex = pendingBefore;
    throw new ProposalDropped("overloaded");
  }
  broadcastAppend(state);
}

/**
 * Appends entries of this term, and a message in which this member acknowledges them to itself once
 * they are durable. Returns false if too much is uncommitted. Entries without data are always
 * taken.
 */
export function appendOwn(state: RaftState, proposed: readonly ProposedEntry[]): boolean {
  const bytes = payloadBytes(proposed);
  const { uncommittedBytes } = state;
  // If nothing is under way, any size is taken: otherwise the limit would refuse a large entry for
  // ever.
  const isTooMuch = uncommittedBytes + bytes > state.config.uncommittedBytesMax;
  if (uncommittedBytes > 0 && bytes > 0 && isTooMuch) return false;
  state.uncommittedBytes += bytes;
  const { term } = state;
  let index = state.log.lastIndex();
  const entries: Entry[] = [];
  for (const { type, data } of proposed) entries.push({ term, index: ++index, type, data });
  state.log.append(entries);
  state.send({ type: "MsgAppResp", to: state.id, index });
  return true;
}

/** Proposes to leave a joint configuration. If it is dropped now, a later call tries again. */
export function proposeLeaveJoint(state: RaftState): void {
  try {
    propose(state, [{ type: EntryType.confChangeV2, data: leaveJoint.context }]);
  } catch (error) {
    if (!(error instanceof ProposalDropped)) throw error;
  }
}

/**
 * Enforces that only one configuration change is pending. A change that may not be appended now
 * becomes an empty entry, and its proposer gets no answer. Changes take effect when applied, so
 * this check can be wrong both ways; the state machine decides.
 */
function withoutRefusedChanges(
  state: RaftState,
  proposed: readonly ProposedEntry[],
): readonly ProposedEntry[] {
  if (proposed.every((entry) => entry.type === EntryType.normal)) return proposed;
  const lastIndex = state.log.lastIndex();
  return proposed.map((entry, at) => {
    if (entry.type === EntryType.normal) return entry;
    if (isChangeRefused(state, entry)) {
      return { type: EntryType.normal, data: leaveJoint.context };
    }
    state.pendingConfIndex = lastIndex + 1 + at;
    return entry;
  });
}

function isChangeRefused(state: RaftState, entry: ProposedEntry): boolean {
  if (state.variants.acceptAnyConfChange === true) return false;
  if (state.pendingConfIndex > state.log.applied) return true;
  const leaves = entry.type === EntryType.confChangeV2 && entry.data.length === 0;
  return state.tracker.isJoint() !== leaves;
}
