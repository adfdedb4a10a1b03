/**
 * The data that a member holds in memory besides its rows must follow from the rows (S6): leases
 * with their keys, and what readers ask of the key space. The check compares it by index between
 * members, and (image-checks.ts) with what a restart reads from a crash image. And the state is
 * never past raft's log (I13).
 */
import type { Entry } from "../../../raft/types.js";
import type { MachineReader } from "../../../state/types.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";

export class MemoryChecks implements Check {
  readonly #world: CheckWorld;

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  stepped(node: SimNode): void {
    const { probe, machine } = node.member ?? {};
    if (probe === undefined || machine === undefined) return;
    const commit = probe.raft.committedIndex();
    if (machine.appliedIndex > commit) {
      const text = `${node.name}'s state is at ${machine.appliedIndex}, raft commits ${commit}`;
      this.#world.report("I13", text, node);
    }
  }

  started(node: SimNode): void {
    this.#compare(node);
  }

  applied(node: SimNode, _entry: Entry): void {
    this.#compare(node);
  }

  #compare(node: SimNode): void {
    const machine = node.member?.machine;
    if (machine === undefined || machine.appliedIndex === 0) return;
    if (node.isInQuarantine() || node.isWrong) return;
    const { memories } = this.#world.ghost;
    const text = memoryOf(machine);
    const known = memories.get(machine.appliedIndex);
    if (known === undefined) memories.set(machine.appliedIndex, text);
    else if (known !== text) {
      const both = `${text}; elsewhere ${known}`;
      this.#world.report("S6", `${node.name} at ${machine.appliedIndex} holds ${both}`, node);
    }
  }
}

/** All data in memory that readers can ask for, in the order in which the member returns it. */
export function memoryOf(machine: MachineReader): string {
  const { kv, leases } = machine;
  const parts = [`revision ${kv.revision()}, compacted ${kv.compactRevision()}, ${kv.keyCount()}`];
  const all = [...leases.all()].sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const { id, grantedTtl, remainingTtl } of all) {
    const keys = leases.keys(id).map((key) => Buffer.from(key).toString("latin1"));
    parts.push(`lease ${id} ${grantedTtl}/${remainingTtl} ${keys.join("+")}`);
  }
  return parts.join(", ");
}
