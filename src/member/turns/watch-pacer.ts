/**
 * Keeps the watch hub going beside the turns: watchers behind the state get their history in pieces
 * between turns, and streams that insist on a leader end when there was none for too long.
 */
import type { Clock } from "../../platform/clock.js";
import type { WatchHub } from "../../state/mvcc/watch-hub.js";

export interface WatchPacerParts {
  readonly clock: Clock;
  readonly electionMs: number;
  watch(): WatchHub;
  hasLeader(): boolean;
  isStopped(): boolean;
  /** The history cannot be read. */
  failed(error: unknown): void;
}

export class WatchPacer {
  readonly #parts: WatchPacerParts;
  #isCatchingUp = false;
  #leaderSeenMs = 0;

  constructor(parts: WatchPacerParts) {
    this.#parts = parts;
  }

  /** Some watcher needs history. */
  readonly catchUp = (): void => {
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    const { clock } = this.#parts;
    clock.defer(() => {
      this.#isCatchingUp = false;
      if (this.#parts.isStopped()) return;
      try {
        if (this.#parts.watch().catchUp()) clock.after(0, this.catchUp);
      } catch (error) {
        this.#parts.failed(error);
        // Damage and a broken invariant have stopped the member or its state, and the streams with it.
        this.#parts.watch().endBehind();
      }
    });
  };

  /** A heartbeat passed. */
  tick(nowMs: number): void {
    if (this.#parts.hasLeader()) this.#leaderSeenMs = nowMs;
    else if (nowMs - this.#leaderSeenMs > 3 * this.#parts.electionMs) {
      this.#leaderSeenMs = nowMs;
      this.#parts.watch().leaderLost();
    }
  }
}
