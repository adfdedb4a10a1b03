/**
 * What a leader knows about the log of one member, and how it may send to it:
 *
 *   probe      one message per heartbeat, until an answer shows where the logs agree
 *   replicate  optimistic stream, bounded by the window of unacknowledged messages
 *   snapshot   nothing, until the snapshot has arrived or failed
 *
 * All transitions are here; the roles only say what happened. Invariant: 0 <= match < next.
 */
import { invariant } from "../../base/invariant.js";
import type { Progress } from "../types.js";
import type { Inflights } from "./inflights.js";

export class PeerProgress implements Progress {
  readonly id: bigint;
  readonly isLearner: boolean;
  /** The highest index at which the member's log is known to equal the leader's. */
  match = 0;
  /** The next entry to send. The entries between match and next are under way. */
  next: number;
  state: "probe" | "replicate" | "snapshot" = "probe";
  /**
   * True if the member was heard from since the last quorum check; always true for the leader
   * itself.
   */
  recentActive = false;
  /** True while the single message that a probe (or a full window) allows is under way. */
  flowPaused = false;
  /** The index of the snapshot under way; 0 outside of state snapshot. */
  pendingSnapshot = 0;
  /** See Progress. */
  isContradicting = false;
  /**
   * The highest commit index sent to the member. With it the leader skips needless empty messages.
   */
  sentCommit = 0;
  readonly inflights: Inflights;

  constructor(
    id: bigint,
    options: { readonly isLearner: boolean; readonly next: number; readonly inflights: Inflights },
  ) {
    this.id = id;
    this.isLearner = options.isLearner;
    this.next = options.next;
    this.inflights = options.inflights;
  }

  /** The same progress in another part of the configuration. The window is shared. */
  withLearner(isLearner: boolean): PeerProgress {
    const { id, next, inflights } = this;
    const copy = new PeerProgress(id, { isLearner, next, inflights });
    copy.match = this.match;
    copy.state = this.state;
    copy.recentActive = this.recentActive;
    copy.flowPaused = this.flowPaused;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.sentCommit = this.sentCommit;
    copy.isContradicting = this.isContradicting;
    return copy;
  }

  get paused(): boolean {
    return this.state === "snapshot" || this.flowPaused || this.isContradicting;
  }

  /** Forgets everything at the start of a term. */
  reset(lastIndex: number): void {
    this.#enter("probe");
    this.match = 0;
    this.next = lastIndex + 1;
    this.recentActive = false;
    this.sentCommit = 0;
    this.isContradicting = false;
  }

  /**
   * Marks that the member acknowledged entries of another history. The mark lasts until the end of
   * the term.
   */
  contradicts(): void {
    this.#enter("probe");
    this.isContradicting = true;
    this.match = 0;
    this.sentCommit = 0;
  }

  /**
   * Call when the member's log ends at `lastIndex`, before what it acknowledged: older files took
   * the place of its own. The leader looks again for the point where the logs agree. It is safe to
   * assume that the member has less than it has.
   */
  lostEntries(lastIndex: number): void {
    if (lastIndex >= this.match) return;
    this.#enter("probe");
    this.match = 0;
    this.next = lastIndex + 1;
    this.sentCommit = 0;
  }

  becomeProbe(): void {
    // A snapshot that arrived is the new base, even if its acknowledgement was lost.
    const base = this.state === "snapshot" ? this.pendingSnapshot : 0;
    this.#enter("probe");
    this.next = Math.max(this.match, base) + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter("snapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** Call when an append message with `count` entries after next - 1 was sent. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === "replicate") {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      // A message into a full window is a probe: the next one waits for an answer of the member.
      this.flowPaused = this.inflights.isFull();
      return;
    }
    invariant(this.state === "probe", "an append was sent while a snapshot is under way");
    if (count > 0) this.flowPaused = true;
  }

  /** True if telling `commit` may still move the member's commit index. */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** Call when the member has everything up to `index`. Returns false if the leader knew that. */
  acknowledge(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.flowPaused = false;
    return true;
  }

  /**
   * Call when the member refused an append after `rejected`. `hint` is where its log may agree with
   * the leader's. Returns false if later answers made this one meaningless.
   */
  decrease(rejected: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      // A probe sends one message at a time, so any other index is an old answer.
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.flowPaused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  #enter(state: "probe" | "replicate" | "snapshot"): void {
    this.state = state;
    this.flowPaused = false;
    this.pendingSnapshot = 0;
    this.inflights.reset();
  }
}
