/**
 * Checks the quorum behind each decision (I1, I2, I8, M6). A leader has the votes of a quorum of
 * its term. A quorum acknowledged in its term what it commits. No member forgets its vote. Only a
 * member with the pre-votes of a quorum asks for votes. The check judges by the messages that
 * members sent, so it reads no disk and needs no samples.
 */
import type { Message } from "../../../raft/types.js";
import type { Invariant } from "../invariants.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";

/**
 * How often the check reads the vote in memory, per thousand events: a wrong vote stays wrong for a
 * whole term.
 */
const votePerMille = 20;

/** The state of a node's life after its last event. */
interface Life {
  readonly life: number;
  /**
   * The latest term in which it voted, and the candidate: a member's own request is a vote for
   * itself.
   */
  votedTerm: number;
  votedFor: bigint;
  ledTerm: number;
  commit: number;
  configurations: number;
}

export class QuorumChecks implements Check {
  readonly #world: CheckWorld;
  readonly #lives = new Map<SimNode, Life>();
  /** The members that granted a pre-vote, by "candidate/term". */
  readonly #encouraged = new Map<string, Set<bigint>>();

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  sent(from: SimNode, message: Message): void {
    const { type, term, reject } = message;
    if (type === "MsgVote") {
      this.#voted(from, term, message.from);
      if (message.context === 0) this.#asksForVotes(from, term);
    } else if (type === "MsgPreVoteResp" && !reject) {
      const key = `${message.to}/${term}`;
      const known = this.#encouraged.get(key) ?? new Set();
      this.#encouraged.set(key, known.add(message.from));
    } else if (type === "MsgVoteResp" && !reject) this.#voted(from, term, message.to);
  }

  stepped(node: SimNode): void {
    const { member } = node;
    if (member === undefined) return;
    const { raft } = member.probe;
    const life = this.#life(node);
    const { configurations } = this.#world.ghost.life(node);
    // A configuration that came with this event decided neither an election nor a commit in it.
    const isSame = configurations === life.configurations;
    const ledTerm = raft.isLeader() ? raft.term() : 0;
    const commit = raft.committedIndex();
    if (isSame && ledTerm !== 0) {
      if (ledTerm !== life.ledTerm) this.#elected(node, ledTerm);
      else if (commit > life.commit) this.#committed(node, { term: ledTerm, commit });
    }
    life.configurations = configurations;
    life.ledTerm = ledTerm;
    life.commit = commit;
    if (this.#world.sample(votePerMille) && life.votedTerm === raft.term()) {
      const { vote } = raft.status();
      if (vote !== life.votedFor) {
        this.#world.report("I2", `${node.name} forgets its vote of term ${life.votedTerm}`, node);
      }
    }
  }

  #voted(node: SimNode, term: number, candidate: bigint): void {
    const life = this.#life(node);
    if (life.votedTerm === term && life.votedFor !== candidate) {
      this.#world.report("I2", `${node.name} votes for two in term ${term}`, node);
    }
    life.votedTerm = term;
    life.votedFor = candidate;
  }

  /** Without pre-votes, a member that comes back deposes a leader that the others still hear. */
  #asksForVotes(node: SimNode, term: number): void {
    const isSame = this.#world.ghost.life(node).configurations === this.#life(node).configurations;
    if (!isSame || !node.config.preVote) return;
    const text = `${node.name} asks for votes in term ${term}, encouraged by`;
    const isFor = (id: bigint, asked: number): boolean =>
      this.#encouraged.get(`${node.memberId}/${asked}`)?.has(id) === true;
    // As in etcd, a late answer about the term before counts as well.
    this.#needQuorum(node, "M6", text, (id) => isFor(id, term) || isFor(id, term - 1));
  }

  #elected(node: SimNode, term: number): void {
    const { votes } = this.#world.ghost;
    const { nodes } = this.#world.cluster;
    const text = `${node.name} leads term ${term}, elected by`;
    // A member with a broken disk may have voted again since, so the check cannot judge it.
    this.#needQuorum(node, "I1", text, (id) => {
      if (votes.get(`${id}/${term}`) === node.memberId) return true;
      return nodes.find(({ memberId }) => memberId === id)?.isDamaged === true;
    });
  }

  #committed(node: SimNode, event: { readonly term: number; readonly commit: number }): void {
    const { acknowledged } = this.#world.ghost;
    const text = `leader ${node.name} commits ${event.commit}, acknowledged by`;
    const holds = (id: bigint): boolean =>
      (acknowledged.get(id)?.get(event.term) ?? 0) >= event.commit;
    this.#needQuorum(node, "I8", text, holds);
  }

  /** The leader itself counts as one: I9 checks what its own disk holds. */
  #needQuorum(
    node: SimNode,
    invariant: Invariant,
    text: string,
    agrees: (id: bigint) => boolean,
  ): void {
    const { voters } = node.member?.probe.raft.status().confState ?? { voters: [] };
    const agreeing = voters.filter((id) => id === node.memberId || agrees(id)).length;
    if (agreeing >= Math.floor(voters.length / 2) + 1) return;
    this.#world.report(invariant, `${text} ${agreeing} of ${voters.length} voters`, node);
  }

  #life(node: SimNode): Life {
    const known = this.#lives.get(node);
    if (known !== undefined && known.life === node.life) return known;
    const life = {
      ...{ life: node.life, votedTerm: 0, votedFor: 0n },
      ...{ ledTerm: 0, commit: 0, configurations: 0 },
    };
    this.#lives.set(node, life);
    return life;
  }
}
