/**
 * The replicated state as members apply it (S1, S5, S6): each index once and in order in each life,
 * revisions go up by at most one per entry, and equal index means equal state on all members.
 */
import { KvError } from "../../../base/errors.js";
import type { Entry } from "../../../raft/types.js";
import type { Applied } from "../../../state/types.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";

/** Refusals that do not come from the keys, which the replay of the log does not know. */
const refusedWhole: ReadonlySet<string> = new Set([
  ...["corrupt", "noSpace"],
  ...["permissionDenied", "userEmpty", "userNotFound", "authOldRevision"],
]);

export class StateChecks implements Check {
  readonly #world: CheckWorld;
  /** The outcome of each entry, in short. */
  readonly #outcomes = new Map<number, string>();
  /** The compact revision that each node showed last, in this life. */
  readonly #compacted = new Map<SimNode, number>();
  /** The newest root of a wrong state at whose index no right state is known yet. */
  readonly #unsure = new Map<SimNode, { readonly index: number; readonly root: string }>();

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  applied(node: SimNode, entry: Entry, applied: Applied): void {
    const { member } = node;
    if (member === undefined) return;
    const { ghost } = this.#world;
    const life = ghost.life(node);
    if (life.applied > 0 && entry.index !== life.applied + 1) {
      this.#world.report("S1", `${node.name} applies ${entry.index} after ${life.applied}`, node);
    }
    life.applied = entry.index;
    if (node.isInQuarantine() || !this.#isRight(node, entry.index)) return;
    node.healed();
    this.#revision(node, entry.index, applied);
    const { machine } = member;
    const compacted = machine.kv.compactRevision();
    if (compacted < (this.#compacted.get(node) ?? 0) || compacted > machine.kv.revision()) {
      this.#world.report("S5", `${node.name}'s compact revision is ${compacted}`, node);
    }
    this.#compacted.set(node, compacted);
    this.compareRoot(node, entry.index);
    const { outcome } = applied;
    const short = outcome instanceof KvError ? outcome.reason : outcome.kind;
    const known = this.#outcomes.get(entry.index);
    if (refusedWhole.has(short)) ghost.stopped.add(entry.index);
    if (known === undefined) this.#outcomes.set(entry.index, short);
    else if (known !== short) {
      this.#world.report(
        "S6",
        `entry ${entry.index} is ${short} at ${node.name}, was ${known}`,
        node,
      );
    }
  }

  /** Call when a node got a state by a restart or a snapshot. */
  started(node: SimNode): void {
    const { member } = node;
    if (member === undefined) return;
    const { appliedIndex } = member.machine;
    this.#world.ghost.life(node).applied = appliedIndex;
    this.#compacted.set(node, member.machine.kv.compactRevision());
    if (node.isInQuarantine() || !this.#isRight(node, appliedIndex)) return;
    // The start checked its rows, whatever was done to them before.
    node.healed();
    if (appliedIndex > 0 && !node.isDamaged) this.compareRoot(node, appliedIndex);
  }

  compareRoot(node: SimNode, index: number): void {
    const { machine } = node.member ?? {};
    if (machine === undefined) return;
    const { roots, revisions } = this.#world.ghost;
    const root = String.fromCharCode(...machine.digests().root);
    const known = roots.get(index);
    if (known === undefined) {
      roots.set(index, root);
      revisions.set(index, machine.kv.revision());
      this.#rightAfterAll(index, root);
    } else if (known !== root) {
      const revision = machine.kv.revision();
      const theirs = revisions.get(index);
      this.#world.report(
        "S6",
        `${node.name} differs at index ${index} (revision ${revision}, elsewhere ${theirs})`,
        node,
      );
    }
  }

  /**
   * A state that was made wrong and that only a comparison can find: by chance it may be right
   * again, or still, if the entry that was applied wrongly was refused.
   */
  #isRight(node: SimNode, index: number): boolean {
    if (!node.isWrong) return true;
    const root = String.fromCharCode(...(node.member?.machine.digests().root ?? []));
    const right = this.#world.ghost.roots.get(index);
    if (right === root) this.#isRightAgain(node);
    else if (right === undefined) this.#unsure.set(node, { index, root });
    return right === root;
  }

  #rightAfterAll(index: number, right: string): void {
    for (const [node, unsure] of this.#unsure) {
      if (unsure.index !== index) continue;
      if (unsure.root === right && node.isWrong) this.#isRightAgain(node);
      else this.#unsure.delete(node);
    }
  }

  #isRightAgain(node: SimNode): void {
    this.#unsure.delete(node);
    node.isWrong = false;
    node.wasWrong = true;
  }

  #revision(node: SimNode, index: number, applied: Applied): void {
    const { revisions } = this.#world.ghost;
    const before = revisions.get(index - 1);
    if (before === undefined) return;
    const wanted = before + (applied.events === undefined ? 0 : 1);
    if (applied.revision !== wanted) {
      const text = `entry ${index} leads from revision ${before} to ${applied.revision}`;
      this.#world.report("S5", `${text} at ${node.name}`, node);
    }
  }
}
