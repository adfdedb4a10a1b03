/**
 * Knows who leads and since when, and hands leadership over. It also names the likely cause of a
 * request's timeout. The texts are etcd's, because etcd's clients decide by them whether to try
 * again.
 */

import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import type { Clock } from "../../platform/clock.js";
import type { RaftNode, Role } from "../../raft/types.js";

const pollMs = 10;

export interface LeadershipParts {
  readonly clock: Clock;
  readonly selfId: bigint;
  readonly electionMs: number;
  raft(): RaftNode;
  transfer(to: bigint): void;
  activeSince(id: bigint): number | undefined;
}

export class Leadership {
  readonly #parts: LeadershipParts;
  #leader = 0n;
  #electedMs = 0;
  /** How often the leader changed, the first election included. */
  changes = 0;

  constructor(parts: LeadershipParts) {
    this.#parts = parts;
  }

  /** Call when raft's leader or role changed. Returns true if the leader changed, also to none. */
  observe(state: { readonly leader: bigint; readonly role: Role }): boolean {
    if (state.leader === this.#leader) return false;
    this.#leader = state.leader;
    if (state.leader !== 0n) {
      this.changes++;
      this.#electedMs = this.#parts.clock.now();
    }
    return true;
  }

  /** The likely cause, for a request that began at `sinceMs` (Clock.now) and got no answer. */
  timeoutCause(sinceMs: number): KvError {
    const lostMs = this.#electedMs - 2 * this.#parts.electionMs;
    if (this.#electedMs > 0 && sinceMs > lostMs && sinceMs < this.#electedMs) {
      return new KvError("timeoutLeaderFailed");
    }
    if (this.#leader === 0n || this.#leader === this.#parts.selfId) return new KvError("timeout");
    const active = this.#parts.activeSince(this.#leader);
    if (active === undefined || active > sinceMs) return new KvError("timeoutConnectionLost");
    return new KvError("timeout");
  }

  /** Hands leadership to a voter. Only the leader can. Ends when the other member leads. */
  move(to: bigint, done: Done<void>): void {
    const status = this.#parts.raft().status();
    if (status.role !== "leader") {
      done(new KvError("notLeader"));
      return;
    }
    const target = status.progress.get(to);
    if (target === undefined || target.isLearner) {
      done(new KvError("badLeaderTransferee"));
      return;
    }
    if (to === this.#parts.selfId) {
      done(undefined);
      return;
    }
    const untilMs = this.#parts.clock.now() + this.#parts.electionMs;
    this.#parts.transfer(to);
    const look = (): void => {
      const leader = this.#parts.raft().leader();
      if (leader === to) done(undefined);
      else if (this.#parts.clock.now() >= untilMs) done(new KvError("leaderTransferTimeout"));
      else this.#parts.clock.after(pollMs, look);
    };
    look();
  }

  /**
   * The reachable voter with the longest log, to take over when this leader stops. Undefined: there
   * is none, or this member does not lead.
   */
  successor(): bigint | undefined {
    const status = this.#parts.raft().status();
    if (status.role !== "leader") return undefined;
    let best: { readonly id: bigint; readonly match: number } | undefined;
    for (const [id, progress] of status.progress) {
      if (id === this.#parts.selfId || progress.isLearner || !progress.recentActive) continue;
      if (this.#parts.activeSince(id) === undefined) continue;
      if (best === undefined || progress.match > best.match) best = { id, match: progress.match };
    }
    return best?.id;
  }
}
