/**
 * Raft's invariants after each event of a node (I1, I3 to I9, I11, I12): elections, the log as each
 * node holds it, what is committed. Sources: the Raft paper's figure 3; TLA+ invariants of
 * etcd-io/raft. By induction over appended entries, comparing each with the first of its index and
 * term and with the term before it is enough for log matching.
 */
import type { RunningMember } from "../../../member/member.js";
import type { Entry } from "../../../raft/types.js";
import type { Invariant } from "../invariants.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";
import { holdsDurably } from "./durable-log.js";
import { type LifeGhost, sameEntry } from "./ghost.js";

/** Chance of expensive checks of disks and progress, per thousand. */
const quorumPerMille = 60;
const progressPerMille = 20;

export class RaftChecks implements Check {
  readonly #world: CheckWorld;
  /** The first entry seen with each "index/term", and the term before it. */
  readonly #entries = new Map<string, { readonly entry: Entry; readonly before: number }>();

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  stepped(node: SimNode): void {
    const { member } = node;
    if (member === undefined || member.probe.isInstalling()) return;
    const { raft, log } = member.probe;
    const life = this.#world.ghost.life(node);
    // One event may make a leader commit and then step down.
    const led = life.isLeader ? life.term : undefined;
    const wasLeader = life.isLeader && raft.isLeader() && raft.term() === life.term;
    const term = raft.term();
    if (term !== life.term) this.#termChanged(node, life, term);
    const isLeader = raft.isLeader();
    const lastIndex = log.lastIndex();
    const lastTerm = log.term(lastIndex) ?? 0;
    if (life.isLeader && isLeader && log.term(life.lastIndex) !== life.lastTerm) {
      const mayForget = life.lastIndex < log.firstIndex();
      if (!mayForget) this.#report("I4", `leader ${node.name} changed its own log`, node);
    }
    if (lastIndex !== life.lastIndex || lastTerm !== life.lastTerm) {
      this.#appended(node, life, { lastIndex, lastTerm });
    }
    if (isLeader && !life.isLeader) this.#becameLeader(node, member);
    life.isLeader = isLeader;
    const commit = raft.committedIndex();
    if (commit !== life.commit) {
      this.#committed(node, life, { commit, ledTerm: isLeader ? term : led, wasLeader });
    }
    life.configurationsBefore = life.configurations;
    if (isLeader && this.#world.sample(progressPerMille)) this.#progress(node, member);
  }

  #report(invariant: Invariant, text: string, node: SimNode): void {
    this.#world.report(invariant, text, node);
  }

  /**
   * A life may forget on a crash what it has not promised: I10 checks the promises across lives.
   */
  #termChanged(node: SimNode, life: LifeGhost, term: number): void {
    if (term < life.term) {
      this.#report("I3", `${node.name} went back from term ${life.term} to ${term}`, node);
    }
    life.term = term;
    life.isLeader = false;
  }

  /** New entries at the end of the log; they may replace others. */
  #appended(
    node: SimNode,
    life: LifeGhost,
    end: { readonly lastIndex: number; readonly lastTerm: number },
  ): void {
    const log = node.member?.probe.log;
    if (log === undefined) return;
    const { terms } = life;
    const first = log.firstIndex();
    let from = end.lastIndex + 1;
    while (from > first && terms.get(from - 1) !== log.term(from - 1)) from--;
    const entries = log.entries(from, end.lastIndex + 1, Number.MAX_SAFE_INTEGER) ?? [];
    for (const entry of entries) {
      const before = log.term(entry.index - 1) ?? 0;
      terms.set(entry.index, entry.term);
      const key = `${entry.index}/${entry.term}`;
      const known = this.#entries.get(key);
      if (known === undefined) this.#entries.set(key, { entry, before });
      else if (before !== known.before || !sameEntry(known.entry, entry)) {
        this.#report("I5", `${node.name} holds another entry ${key} than a member before it`, node);
      }
    }
    life.lastIndex = end.lastIndex;
    life.lastTerm = end.lastTerm;
  }

  #becameLeader(node: SimNode, member: RunningMember): void {
    const { ghost } = this.#world;
    const term = member.probe.raft.term();
    const known = ghost.leaders.get(term);
    if (known !== undefined && known !== member.id) {
      this.#report("I1", `${node.name} leads term ${term}, which had another leader`, node);
    }
    ghost.leaders.set(term, member.id);
    const needed = ghost.committedBefore(term);
    const { log } = member.probe;
    const entry = ghost.committed.get(needed);
    const isHere = needed < log.firstIndex() || log.term(needed) === entry?.entry.term;
    if (entry !== undefined && !isHere) {
      this.#report("I6", `${node.name} leads term ${term} without committed entry ${needed}`, node);
    }
    if (member.machine.confState.learners.includes(member.id)) {
      this.#report("M4", `${node.name} leads although it is a learner`, node);
    }
  }

  /**
   * `ledTerm`: the term in which the node led when it may have committed; undefined: it followed.
   * `wasLeader`: it led all the time, so it committed the new entries by its own count.
   */
  #committed(
    node: SimNode,
    life: LifeGhost,
    event: {
      readonly commit: number;
      readonly ledTerm: number | undefined;
      readonly wasLeader: boolean;
    },
  ): void {
    const { commit, ledTerm, wasLeader } = event;
    const { ghost } = this.#world;
    const { member } = node;
    if (member === undefined) return;
    const { log, raft } = member.probe;
    if (commit < life.commit) this.#report("I3", `${node.name}'s commit index went back`, node);
    const from = Math.max(life.commit + 1, log.firstIndex());
    life.commit = commit;
    const entries = log.entries(from, commit + 1, Number.MAX_SAFE_INTEGER) ?? [];
    if (from <= commit && entries.length < commit - from + 1 && commit > ghost.committedMax) {
      this.#report("I3", `${node.name} commits ${commit}, its log ends before`, node);
    }
    for (const entry of entries) {
      const known = ghost.committed.get(entry.index);
      if (known !== undefined) {
        if (!sameEntry(known.entry, entry)) {
          this.#report("I7", `${node.name} commits another entry at ${entry.index}`, node);
        }
        continue;
      }
      if (ledTerm === undefined) {
        this.#report("I11", `follower ${node.name} commits ${entry.index} before a leader`, node);
      }
      const atUs = this.#world.cluster.clock.nowUs();
      ghost.committed.set(entry.index, { entry, atUs, commitTerm: ledTerm ?? raft.term() });
      ghost.committedMax = Math.max(ghost.committedMax, entry.index);
    }
    if (!wasLeader || entries.length === 0) return;
    const last = entries.at(-1) as Entry;
    if (last.term !== ledTerm) {
      this.#report(
        "I8",
        `leader ${node.name} commits an entry of term ${last.term} by count`,
        node,
      );
    }
    // A configuration that came with this event did not decide this commit.
    const isSame = life.configurations === life.configurationsBefore;
    if (isSame && this.#world.sample(quorumPerMille)) this.#durableAtQuorum(node, member, last);
  }

  /** A committed entry is on the disks of a quorum, whatever a power failure takes. */
  #durableAtQuorum(node: SimNode, member: RunningMember, entry: Entry): void {
    const { voters } = member.probe.raft.status().confState;
    const { nodes } = this.#world.cluster;
    // The check cannot judge replaced disks.
    const holders = voters.filter((id) => {
      const holder = nodes.find((other) => other.memberId === id);
      if (holder === undefined || holder.isDamaged || holder.state === "wiped") return true;
      return holdsDurably(holder, entry.index, entry.term);
    });
    if (holders.length < Math.floor(voters.length / 2) + 1) {
      this.#report("I9", `${node.name} commits ${entry.index}, durable at ${holders.length}`, node);
    }
  }

  /** What a leader believes of its followers is true. */
  #progress(node: SimNode, member: RunningMember): void {
    const { term, progress } = member.probe.raft.status();
    const { log } = member.probe;
    for (const [id, { match }] of progress) {
      const follower = this.#world.cluster.nodeOf(id);
      const theirs = follower?.member?.probe;
      if (follower === undefined || theirs === undefined || follower.isDamaged) continue;
      if (theirs.raft.term() > term || match < log.firstIndex()) continue;
      if (match < theirs.log.firstIndex()) continue;
      if (theirs.log.term(match) !== log.term(match)) {
        this.#report("I12", `${node.name} believes that ${follower.name} holds ${match}`, node);
      }
    }
  }
}
