/**
 * Configurations (M1 to M6) depend on the log alone, change one step at a time, and are never
 * empty. A removed member does not come back. Raft's configuration and the state machine's are the
 * same.
 */
import type { RunningMember } from "../../../member/member.js";
import { type ConfState, type Entry, EntryType } from "../../../raft/types.js";
import type { MemoryLogStorage } from "../../../wal/memory-log-storage.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";

export class MembershipChecks implements Check {
  readonly #world: CheckWorld;
  /** Each configuration, by the index of the entry that made it. */
  readonly #configurations = new Map<number, { readonly text: string; readonly conf: ConfState }>();
  readonly #removed = new Set<bigint>();
  /** The index up to which the check has looked for changes in the log of a life. */
  readonly #looked = new Map<SimNode, { readonly log: MemoryLogStorage; readonly to: number }>();

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  started(node: SimNode): void {
    const { machine } = node.member ?? {};
    if (machine === undefined || machine.confState.voters.length === 0) return;
    const { ghost } = this.#world;
    ghost.configuration ??= { index: machine.appliedIndex, conf: machine.confState };
  }

  applied(node: SimNode, entry: { readonly index: number; readonly type: number }): void {
    const { member } = node;
    if (member === undefined || entry.type === EntryType.normal) return;
    this.#world.ghost.life(node).configurations++;
    // A stand-in may begin with a later configuration than that of its index: see recover.ts.
    if (node.isInQuarantine()) return;
    const conf = member.machine.confState;
    const text = textOf(conf);
    const known = this.#configurations.get(entry.index);
    if (known === undefined) this.#first(node, entry.index, conf);
    else if (known.text !== text) {
      this.#world.report("M1", `${node.name} has another configuration at ${entry.index}`, node);
    }
  }

  stepped(node: SimNode): void {
    const { member } = node;
    if (member === undefined || !member.probe.raft.isLeader()) return;
    this.#inFlight(node, member);
    if (!this.#world.sample(50)) return;
    const { probe, machine } = member;
    const raftConf = probe.raft.status().confState;
    if (textOf(raftConf) !== textOf(machine.confState)) {
      this.#world.report("M1", `raft and state of ${node.name} differ in configuration`, node);
    }
  }

  /**
   * A leader adds a change only when it has applied everything before it, also entries of earlier
   * leaders. Earlier leaders may have left several changes.
   */
  #inFlight(node: SimNode, { probe, machine }: RunningMember): void {
    const { log, raft } = probe;
    const lastIndex = log.lastIndex();
    const looked = this.#looked.get(node);
    const from = looked?.log === log ? Math.min(looked.to, lastIndex) + 1 : log.firstIndex();
    this.#looked.set(node, { log, to: lastIndex });
    const isOwn = ({ type, term }: Entry): boolean =>
      type !== EntryType.normal && term === raft.term();
    if (!entriesOf(log, from).some(isOwn)) return;
    const pending = entriesOf(log, machine.appliedIndex + 1);
    const changes = pending.filter(({ type }) => type !== EntryType.normal).length;
    if (changes > 1 && pending.some(isOwn)) {
      this.#world.report("M3", `leader ${node.name} has ${changes} changes in flight`, node);
    }
  }

  #first(node: SimNode, index: number, conf: ConfState): void {
    this.#configurations.set(index, { text: textOf(conf), conf });
    if (conf.voters.length === 0) this.#world.report("M5", "nobody may vote any more", node);
    const { ghost } = this.#world;
    const before = ghost.configuration;
    if (before !== undefined && before.index < index) {
      const isNew = (id: bigint): boolean => !before.conf.voters.includes(id);
      const added = conf.voters.filter(isNew);
      const gone = before.conf.voters.filter((id) => !conf.voters.includes(id));
      if (added.length + gone.length > 1) {
        this.#world.report("M2", `the voters change by more than one at ${index}`, node);
      }
      const all = [...conf.voters, ...conf.learners];
      for (const id of [...before.conf.voters, ...before.conf.learners]) {
        if (!all.includes(id)) this.#removed.add(id);
      }
      for (const id of all) {
        if (this.#removed.has(id)) {
          this.#world.report("M6", `member ${id.toString(16)} comes back at ${index}`, node);
        }
      }
    }
    ghost.configuration = { index, conf };
  }
}

/** The entries from `from` to the end of the log. */
function entriesOf(log: MemoryLogStorage, from: number): readonly Entry[] {
  const first = Math.max(from, log.firstIndex());
  return log.entries(first, log.lastIndex() + 1, Number.MAX_SAFE_INTEGER) ?? [];
}

function textOf(conf: ConfState): string {
  const { voters, learners, votersOutgoing, learnersNext } = conf;
  return [voters, learners, votersOutgoing, learnersNext].map((ids) => ids.join()).join(" ");
}
