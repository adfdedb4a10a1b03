/**
 * Holds linearizable reads until a proof that this leader still leads (Raft thesis, section 6.4).
 * Reads are numbered in order of arrival within the term. A heartbeat carries the number of the
 * newest waiting read, and its answer confirms every read up to that number. So one round of
 * heartbeats confirms all reads that waited when it was sent. If a round is lost, the next one
 * confirms its reads.
 */
import type { Message } from "./types.js";

export interface WaitingRead {
  readonly request: Message;
  /** The commit index when the read arrived. */
  readonly index: number;
}

export class ReadRounds {
  #waiting: WaitingRead[] = [];
  #confirmed = 0;
  readonly #acked = new Map<bigint, number>();

  add(request: Message, index: number): void {
    this.#waiting.push({ request, index });
  }

  /** The number that heartbeats carry now; 0: no read waits. */
  newest(): number {
    return this.#waiting.length === 0 ? 0 : this.#confirmed + this.#waiting.length;
  }

  acknowledge(from: bigint, round: number): void {
    // The leader never sent this number, so it confirms nothing, now or later.
    if (round > this.#confirmed + this.#waiting.length) return;
    this.#acked.set(from, Math.max(round, this.#acked.get(from) ?? 0));
  }

  /**
   * Takes the reads that a quorum confirmed, in order of arrival.
   *
   * @param quorumOf the highest number that a quorum of the configuration reached
   */
  takeConfirmed(
    quorumOf: (acked: (id: bigint) => number | undefined) => number,
  ): readonly WaitingRead[] {
    const confirmed = quorumOf((id) => this.#acked.get(id));
    if (confirmed <= this.#confirmed) return [];
    const reads = this.#waiting.splice(0, confirmed - this.#confirmed);
    this.#confirmed += reads.length;
    return reads;
  }

  reset(): void {
    this.#waiting = [];
    this.#confirmed = 0;
    this.#acked.clear();
  }
}
