/**
 * Promises between members (I2, I10): when a vote for another member or an acknowledgement leaves a
 * member, it is on the disk, even in the least that a power failure can leave. It stays there over
 * crashes.
 */
import type { Message } from "../../../raft/types.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";
import { lastIndexIn, recoveredLog, termIn } from "./durable-log.js";

const appendPerMille = 15;

export class PromiseChecks implements Check {
  readonly #world: CheckWorld;

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  sent(from: SimNode, message: Message): void {
    const { type, reject, term } = message;
    if (type === "MsgVoteResp" && !reject) {
      this.#voted(from, term, message.to);
      this.#voteIsDurable(from, term, message.to);
    } else if (type === "MsgAppResp" && !reject) {
      const { acknowledged } = this.#world.ghost;
      let terms = acknowledged.get(message.from);
      if (terms === undefined) {
        terms = new Map();
        acknowledged.set(message.from, terms);
      }
      terms.set(term, Math.max(terms.get(term) ?? 0, message.index));
      if (this.#world.sample(appendPerMille)) this.#holds(from, "before it promised");
    }
  }

  /** The next life must find on its disk what the last life promised. */
  starting(node: SimNode): void {
    if (node.memberId !== undefined && !node.isDamaged) this.#holds(node, "after its crash");
  }

  /**
   * A member must notice a damaged log: if it starts all the same, its log holds what it promised.
   */
  started(node: SimNode): void {
    const { member } = node;
    if (member === undefined || !node.isDamaged || !node.isLogDamaged) return;
    if (node.hasForgotten) return;
    const { log, raft } = member.probe;
    for (const [term, index] of this.#world.ghost.acknowledged.get(member.id) ?? []) {
      const isGone = term === raft.term() ? index > log.lastIndex() : term > raft.term();
      if (isGone) {
        const text = `${node.name} starts on a damaged log without acknowledged entry ${index}`;
        this.#world.report("I10", text, node);
      }
    }
  }

  #voted(from: SimNode, term: number, candidate: bigint): void {
    const key = `${from.memberId}/${term}`;
    const { votes } = this.#world.ghost;
    const known = votes.get(key);
    if (known !== undefined && known !== candidate && !from.isDamaged) {
      this.#world.report("I2", `${from.name} votes twice in term ${term}`, from);
    }
    votes.set(key, candidate);
  }

  #voteIsDurable(from: SimNode, term: number, candidate: bigint): void {
    if (from.isDamaged) return;
    const log = recoveredLog(from.disk.durableImage());
    const state = log?.hardState;
    if (state === undefined || state.term < term) {
      this.#world.report("I10", `${from.name}'s vote of term ${term} is not durable`, from);
    } else if (state.term === term && state.vote !== candidate) {
      this.#world.report("I10", `${from.name}'s vote of term ${term} is for another`, from);
    }
  }

  /**
   * Checks that the log has the acknowledged entries of the current term, and all entries committed
   * since.
   */
  #holds(node: SimNode, when: string): void {
    const { ghost } = this.#world;
    const terms = node.memberId === undefined ? undefined : ghost.acknowledged.get(node.memberId);
    if (terms === undefined || node.isDamaged) return;
    const log = recoveredLog(node.disk.durableImage());
    if (log === undefined) {
      this.#world.report("I10", `${node.name} has no log ${when}`, node);
      return;
    }
    const lastIndex = lastIndexIn(log);
    const highest = Math.max(...terms.keys());
    if (log.hardState.term < highest) {
      this.#world.report("I10", `${node.name} acknowledged in term ${highest}, not durable`, node);
    }
    for (const [term, index] of terms) {
      if (term === log.hardState.term && index > lastIndex) {
        this.#world.report("I10", `${node.name} lacks acknowledged entry ${index} ${when}`, node);
      }
      const committed = Math.min(index, ghost.committedMax);
      const known = ghost.committed.get(committed);
      // An entry that was committed under this or an earlier term can no longer be replaced.
      if (known === undefined || known.commitTerm > term) continue;
      if (committed <= (log.snapshot?.index ?? 0) || committed < (log.entries[0]?.index ?? 0)) {
        continue;
      }
      if (termIn(log, committed) !== known.entry.term) {
        this.#world.report("I10", `${node.name} lacks committed entry ${committed} ${when}`, node);
      }
    }
  }
}
