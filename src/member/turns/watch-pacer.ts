/**
 * Drives the watch hub between turns. Watchers that are behind get their history in pieces. Streams
 * that require a leader end when there has been none for too long.
 */
import type { Clock } from "../../platform/clock.js";
import type { WatchHub } from "../../state/watch/hub.js";

export interface WatchPacerParts {
  readonly clock: Clock;
  readonly electionMs: number;
  watch(): WatchHub;
  hasLeader(): boolean;
  isStopped(): boolean;
  /** Reports that the history cannot be read. */
  failed(error: unknown): void;
}

export class WatchPacer {
  readonly #parts: WatchPacerParts;
  #isCatchingUp = false;
  #leaderSeenMs = 0;

  constructor(parts: WatchPacerParts) {
    this.#parts = parts;
  }

  /** Call when a watcher needs history. */
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
        // Damage and a broken invariant have already stopped the state or the member, with all
        // streams. After any other error only the streams that needed history end.
        this.#parts.watch().endBehind();
      }
    });
  };

  /** Call at each heartbeat. */
  tick(nowMs: number): void {
    if (this.#parts.hasLeader()) this.#leaderSeenMs = nowMs;
    else if (nowMs - this.#leaderSeenMs > 3 * this.#parts.electionMs) {
      this.#leaderSeenMs = nowMs;
      this.#parts.watch().leaderLost();
    }
  }
}
