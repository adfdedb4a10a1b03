/**
 * Checks how members find and repair wrong states (G1 to G7). Only a harmed member enters
 * quarantine. A member in quarantine answers no client, and still knows of the quarantine after a
 * crash. A cleared member has the right state. A wrong state is noticed in time. One member heals
 * at a time. The others go on.
 */
import { KvError } from "../../../base/errors.js";
import type { UnaryCall } from "../../../grpc/call.js";
import { readQuarantine } from "../../../integrity/quarantine-file.js";
import type { Entry } from "../../../raft/types.js";
import type { Applied } from "../../../state/types.js";
import { readAside } from "../../../storage/backend-slot.js";
import type { SimNode } from "../sim-node.js";
import { type Check, type CheckWorld, statePaths } from "./check.js";

/** How often a member may apply something after its state went wrong, until it doubts its state. */
const unnoticedMax = 25;
/** A RangeRequest {key=1: "k", serializable=7: true}. */
const anyRead = Uint8Array.of(0x0a, 1, 0x6b, 0x38, 1);

export class IntegrityChecks implements Check {
  readonly #world: CheckWorld;
  /** Members that were in quarantine after their last event. */
  readonly #quarantined = new Set<SimNode>();
  /**
   * Members that are down and whose disk has the quarantine file: they start in quarantine,
   * whatever healed before.
   */
  readonly #noted = new Set<SimNode>();

  /**
   * Since they went wrong without doubting it: the indexes at which they were seen to have applied
   * more.
   */
  readonly #unnoticed = new Map<SimNode, { index: number; turns: number }>();
  /** The members that fetch a right state, and the term in which each began. */
  readonly #fetching = new Map<SimNode, number>();

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  started(node: SimNode): void {
    this.#look(node);
  }

  stepped(node: SimNode): void {
    this.#look(node);
    if (node.isWrong) this.#unseen(node);
    else this.#unnoticed.delete(node);
    if (this.#quarantined.has(node)) this.#heals(node);
    else this.#fetching.delete(node);
  }

  /** One member's alarm is no reason for the others to refuse requests. */
  applied(node: SimNode, entry: Entry, { outcome }: Applied): void {
    if (!(outcome instanceof KvError) || outcome.reason !== "corrupt") return;
    const alarms = node.member?.machine.alarms() ?? [];
    const isStopped = alarms.some((known) => known.memberId === 0n || known.isContained !== true);
    if (isStopped || node.isInQuarantine()) return;
    const text = `entry ${entry.index} is refused for the alarm of one member`;
    this.#world.report("G7", text, node);
  }

  /**
   * A member that a crash takes out of quarantine must be in quarantine again after the next start.
   */
  ended(node: SimNode): void {
    this.#unnoticed.delete(node);
    this.#fetching.delete(node);
    if (!this.#quarantined.delete(node) || node.state === "wiped") return;
    if (readQuarantine(node.disk.durableImage()) === undefined) {
      this.#world.report("G5", `${node.name} is in quarantine, and its disk does not say so`, node);
    } else this.#noted.add(node);
  }

  served(node: SimNode, path: string): void {
    if (!node.isInQuarantine() || !statePaths.test(path)) return;
    this.#world.report("G2", `${node.name} answers ${path} in quarantine`, node);
  }

  finished(): void {
    for (const node of this.#world.cluster.nodes) {
      if (node.state !== "up" || !node.isWrong) continue;
      // Members know that one of them is wrong, and all have stopped.
      const alarms = node.member?.machine.alarms() ?? [];
      if (alarms.some(({ memberId, alarm }) => memberId === 0n && alarm === "CORRUPT")) continue;
      this.#world.report("G4", `${node.name}'s state is wrong, and nobody has found out`, node);
    }
  }

  #unseen(node: SimNode): void {
    const { probe, machine } = node.member ?? {};
    if (probe === undefined || machine === undefined) return;
    const seen = this.#unnoticed.get(node) ?? { index: machine.appliedIndex, turns: 0 };
    this.#unnoticed.set(node, seen);
    if (probe.isInDoubt()) seen.turns = 0;
    else if (machine.appliedIndex > seen.index) seen.turns++;
    seen.index = machine.appliedIndex;
    if (seen.turns > unnoticedMax) {
      this.#world.report("G4", `${node.name} is wrong, goes on, and nobody notices`, node);
    }
  }

  /** One leader gave two members permission; a new leader cannot know of an earlier permission. */
  #heals(node: SimNode): void {
    const probe = node.member?.probe;
    if (probe === undefined) return;
    // A state that was fetched once may have gone wrong itself since.
    const known = [probe.stateName(), ...readAside(node.disk)];
    const isNew = (name: string): boolean => name.startsWith("heal-") && !known.includes(name);
    if (!node.backends.list().some(isNew)) {
      this.#fetching.delete(node);
      return;
    }
    const term = this.#fetching.get(node) ?? probe.raft.term();
    this.#fetching.set(node, term);
    for (const [other, since] of this.#fetching) {
      if (other === node || since !== term || other.state !== "up") continue;
      this.#world.report("G6", `${node.name} and ${other.name} heal at the same time`, node);
    }
  }

  /** The clients of the simulator avoid members in quarantine, so this check asks one itself. */
  #ask(node: SimNode): void {
    const path = "/etcdserverpb.KV/Range";
    const method = node.methods.get(path);
    if (method?.kind !== "unary") return;
    const answered = (): void => this.served(node, path);
    const call: UnaryCall = {
      ...{ metadata: () => undefined, certificate: undefined, timeoutMs: undefined, isOver: false },
      ...{ respond: answered, respondInPieces: answered, fail: () => {}, onCancel: () => {} },
    };
    method.handle(anyRead, call);
  }

  #look(node: SimNode): void {
    const isIn = node.isInQuarantine();
    if (isIn === this.#quarantined.has(node)) return;
    // A full disk has no space for the quarantine file: the member stops, and the wrong state is
    // not found yet.
    if (isIn && node.member?.probe.isStopping() === true) return;
    if (isIn) {
      this.#quarantined.add(node);
      if (!node.isDamaged && !node.wasWrong && !this.#noted.has(node)) {
        const { reason } = node.member?.probe.quarantine() ?? {};
        this.#world.report("G1", `${node.name} is in quarantine without a cause: ${reason}`, node);
      }
      node.found();
      this.#ask(node);
      return;
    }
    this.#quarantined.delete(node);
    this.#noted.delete(node);
    const machine = node.member?.machine;
    if (machine === undefined) return;
    const right = this.#world.ghost.roots.get(machine.appliedIndex);
    if (right === undefined || right === String.fromCharCode(...machine.digests().root)) return;
    this.#world.report(
      "G3",
      `${node.name} is cleared, but differs at ${machine.appliedIndex}`,
      node,
    );
  }
}
