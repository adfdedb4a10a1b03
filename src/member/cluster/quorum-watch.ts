/** Logs that there is no leader, and whether this member reaches a quorum of voters. */
import type { Platform } from "../../platform/platform.js";

/** Milliseconds between two log lines while there is no leader. */
const tellEveryMs = 60_000;

export interface QuorumWatchParts {
  readonly log: Platform["log"];
  readonly selfId: bigint;
  readonly electionMs: number;
  hasLeader(): boolean;
  voters(): readonly bigint[];
  activeSince(id: bigint): number | undefined;
}

export class QuorumWatch {
  readonly #parts: QuorumWatchParts;
  /**
   * Since when there has been no leader, in milliseconds of the clock. Undefined: there is a
   * leader.
   */
  #sinceMs: number | undefined;
  #toldMs: number | undefined;
  /** How often there was no leader for longer than an election takes. */
  losses = 0;

  constructor(parts: QuorumWatchParts) {
    this.#parts = parts;
  }

  /** Voters of the configuration, and those of them that this member reaches, itself included. */
  voters(): { readonly all: number; readonly reached: number } {
    const voters = this.#parts.voters();
    return { all: voters.length, reached: voters.length - this.#unreached().length };
  }

  /** Call at each heartbeat. */
  tick(nowMs: number): void {
    if (this.#parts.hasLeader()) {
      if (this.#toldMs !== undefined) {
        const forMs = Math.round(nowMs - (this.#sinceMs ?? nowMs));
        this.#parts.log("info", "there is a leader again", { "without-leader-for": `${forMs}ms` });
      }
      this.#sinceMs = undefined;
      this.#toldMs = undefined;
      return;
    }
    this.#sinceMs ??= nowMs;
    // The time covers an election and a second one after a split vote: a shorter gap is normal.
    const isLong = nowMs - this.#sinceMs >= 3 * this.#parts.electionMs;
    if (!isLong || (this.#toldMs !== undefined && nowMs - this.#toldMs < tellEveryMs)) return;
    if (this.#toldMs === undefined) this.losses++;
    this.#toldMs = nowMs;
    this.#tell(nowMs - this.#sinceMs);
  }

  #tell(forMs: number): void {
    const { all, reached } = this.voters();
    const isQuorum = reached > all / 2;
    const message = isQuorum
      ? "no leader, although a quorum of voters is reached"
      : "no leader: no quorum of voters is reached; writes and linearizable reads wait";
    this.#parts.log("warn", message, {
      "without-leader-for": `${Math.round(forMs)}ms`,
      voters: all,
      "voters-reached": reached,
      "voters-not-reached": this.#unreached()
        .map((id) => id.toString(16))
        .join(","),
    });
  }

  #unreached(): readonly bigint[] {
    const { selfId } = this.#parts;
    return this.#parts
      .voters()
      .filter((id) => id !== selfId && this.#parts.activeSince(id) === undefined);
  }
}
