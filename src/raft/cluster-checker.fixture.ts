/** Checks what must hold in every cluster, over its whole history. Throws at a violation. */
import { InvariantViolation } from "../base/invariant.js";
import type { Member } from "./cluster-member.fixture.js";
import type { Contradiction, Entry, Message } from "./types.js";

export class ClusterChecker {
  readonly #leaders = new Map<number, bigint>();
  readonly #votes = new Map<string, bigint>();
  /** The entry that was applied first at each index, by any member, and in which term. */
  readonly #applied = new Map<number, { readonly what: string; readonly inTerm: number }>();
  readonly #reads = new Map<number, number>();
  #maxApplied = 0;

  get maxApplied(): number {
    return this.#maxApplied;
  }

  get readCount(): number {
    return this.#reads.size;
  }

  answeredReads = 0;

  leads({ id, node, log }: Member): void {
    const term = node.term();
    const known = this.#leaders.get(term);
    if (known === id) return;
    this.#demand(known === undefined, "election safety", { term, id, known });
    this.#leaders.set(term, id);
    for (const [index, { what, inTerm }] of this.#applied) {
      // Votes may arrive after a later term has begun. Such a leader can commit nothing.
      if (index < log.firstIndex() || inTerm >= term) continue;
      const entry = log.entries(index, index + 1, 1)?.[0];
      this.#demand(entry !== undefined && text(entry) === what, "leader completeness", { index });
    }
  }

  applies({ id, disk, appliedIndex, node }: Member, entry: Entry): void {
    const { index } = entry;
    this.#demand(index === appliedIndex + 1, "in order, each once", { id, index, appliedIndex });
    const known = this.#applied.get(index) ?? { what: text(entry), inTerm: node.term() };
    this.#demand(known.what === text(entry), "state machine safety", { id, index });
    this.#applied.set(index, known);
    this.#maxApplied = Math.max(this.#maxApplied, index);
    const stored = disk.entries.find((one) => one.index === index);
    const isDurable = index <= disk.base.index || stored?.term === entry.term;
    this.#demand(isDurable, "durable apply", { id, index });
  }

  /** Also checks messages that a member sends to itself: its own vote counts when it is durable. */
  sends({ id, disk }: Member, message: Message): void {
    if (message.type === "MsgAppResp" && !message.reject && message.index > 0) {
      const end = disk.entries.at(-1)?.index ?? disk.base.index;
      const isDurable = message.index <= end || message.term < disk.hardState.term;
      this.#demand(isDurable, "acknowledged only what is durable", { id, index: message.index });
    }
    if (message.type !== "MsgVoteResp" || message.reject) return;
    this.#castsVote(id, message.term, message.to);
    const { term, vote } = disk.hardState;
    const isDurable = term > message.term || (term === message.term && vote === message.to);
    this.#demand(isDurable, "durable vote", { id, term: message.term });
  }

  #castsVote(id: bigint, term: number, candidate: bigint): void {
    const key = `${id}/${term}`;
    const known = this.#votes.get(key) ?? candidate;
    this.#demand(known === candidate, "one vote", { id, term, candidate, known });
    this.#votes.set(key, known);
  }

  readAsked(id: number): void {
    this.#reads.set(id, this.#maxApplied);
  }

  /** Late, repeated and reordered messages must never look like a loss. */
  contradicted({ member, committed, leaderEnd }: Contradiction): void {
    const text = `${committed.index}@${committed.term} at ${member}, leader ends ${leaderEnd.index}`;
    throw new Error(`a loss was seen where there was none: ${text}`);
  }

  readAnswered(id: number, index: number): void {
    this.answeredReads++;
    const floor = this.#reads.get(id) as number;
    this.#demand(index >= floor, "linearizable read", { id, index, floor });
  }

  #demand(holds: boolean, what: string, details: Readonly<Record<string, unknown>>): void {
    if (!holds) throw new InvariantViolation(what, details);
  }
}

function text(entry: Entry): string {
  return `${entry.term}:${entry.type}:${new TextDecoder().decode(entry.data)}`;
}
