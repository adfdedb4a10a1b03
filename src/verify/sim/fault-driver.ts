/** Injects a plan's faults at their times, and ends those that have an end. */

import { Bucket } from "../../platform/rows.js";
import { readSlot } from "../../storage/backend-slot.js";
import { type DamageKind, damageAtRest } from "./disk-damage.js";
import { forge } from "./forgery.js";
import type { Invariant } from "./invariants.js";
import { misapplyNext } from "./misapply.js";
import { cutNetwork } from "./network-cut.js";
import type { Operator } from "./operator.js";
import type { Atlas } from "./plan/atlas.js";
import type { Fault, Plan, SimFaultKind, Target } from "./plan/plan.js";
import { rollBack } from "./roll-back.js";
import type { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";
import { Upkeep } from "./upkeep.js";

/** A member that shall apply an entry wrongly must get one within this time, or nothing happens. */
const misapplyWithinMs = 5_000;

export interface FaultParts {
  readonly cluster: SimCluster;
  readonly operator: Operator;
  readonly atlas: Atlas;
  /** From now on the majority's earlier promises are void. */
  rolledBack(): void;
  /** For reports: a fault begins or ends. */
  told(kind: "fault" | "heal", text: string, node: SimNode | undefined): void;
  /** An invariant is broken. @throws Violation */
  report(invariant: Invariant, text: string, node: SimNode): void;
}

export class SimFaultDriver {
  readonly #parts: FaultParts;
  readonly #cluster: SimCluster;
  readonly #plan: Plan;
  readonly #undo = new Set<() => void>();
  readonly #upkeep: Upkeep;
  /** The kinds of faults that took effect: some cannot when their time comes. */
  readonly occurred = new Set<SimFaultKind>();

  constructor(parts: FaultParts, plan: Plan) {
    this.#parts = parts;
    this.#cluster = parts.cluster;
    this.#plan = plan;
    this.#upkeep = new Upkeep(parts);
  }

  schedule(): void {
    for (const fault of this.#plan.faults) {
      this.#cluster.clock.at(fault.atMs, () => this.#inject(fault));
    }
  }

  #crowd(
    node: SimNode,
    { forMs, isDisarmed }: { readonly forMs: number; readonly isDisarmed: boolean },
  ): void {
    const { quotaBytes } = this.#plan.swarm;
    if (node.member === undefined || quotaBytes === 0) return;
    this.occurred.add("overQuota");
    this.#parts.told("fault", "overQuota", node);
    const { faults } = node.backends;
    faults.extraBytes = quotaBytes;
    node.overQuotaUntilUs = this.#cluster.clock.nowUs() + forMs * 1_000;
    this.#undoAfter(forMs, () => {
      faults.extraBytes = 0;
      if (isDisarmed) this.#parts.operator.disarm(node);
    });
  }

  /** Ends every running fault that has an end, at once. */
  healAll(): void {
    for (const undo of [...this.#undo]) undo();
    for (const node of this.#cluster.nodes) {
      delete node.disk.faults.spaceBytes;
      node.disk.faults.failNextSync = false;
      node.backends.faults.calm();
    }
  }

  #inject(fault: Fault): void {
    if (fault.kind === "crashAll") {
      this.#tell(fault);
      for (const node of this.#cluster.nodes) {
        if (node.state !== "wiped") this.#crash(node, fault.mode, fault.downMs);
      }
      return;
    }
    if (fault.kind === "partition" || fault.kind === "link") {
      this.#cut(fault);
      return;
    }
    if (fault.kind === "rollBack") {
      rollBack({ ...this.#parts, told: () => this.#tell(fault) }, fault);
      return;
    }
    if (fault.kind === "addMember") {
      this.#tell(fault);
      this.#parts.operator.addMember(fault.asLearner);
      return;
    }
    if (fault.kind === "upkeep") {
      const at = this.#upkeep.at(fault, this.#find(fault.target));
      if (at !== undefined) {
        this.occurred.add("upkeep");
        this.#upkeep.do(fault, at);
      }
      return;
    }
    const node = this.#find(fault.kind === "moveLeader" ? fault.to : fault.target);
    if (node !== undefined) this.#injectAt(node, fault);
  }

  #injectAt(
    node: SimNode,
    fault: Exclude<
      Fault,
      { readonly kind: "crashAll" | "partition" | "link" | "addMember" | "rollBack" | "upkeep" }
    >,
  ): void {
    const { operator } = this.#parts;
    const { member } = node;
    switch (fault.kind) {
      case "crash":
        this.#tell(fault, node);
        this.#crash(node, fault.mode, fault.downMs);
        break;
      case "stop":
        if (node.state !== "up") return;
        this.#tell(fault, node);
        this.#cluster.stop(node);
        operator.startLater(node, fault.downMs + 1_500);
        break;
      case "pause":
        if (node.state === "down") return;
        this.#tell(fault, node);
        this.#cluster.clock.pause(node.place);
        this.#undoAfter(fault.forMs, () => this.#cluster.clock.resume(node.place));
        break;
      case "slowDisk":
        this.#tell(fault, node);
        node.extraSyncMs = fault.syncMs;
        this.#undoAfter(fault.forMs, () => {
          node.extraSyncMs = 0;
        });
        break;
      case "overQuota":
        this.#crowd(node, fault);
        break;
      case "failSync":
        this.#failSync(node, fault);
        break;
      case "fullDisk":
        this.#tell(fault, node);
        node.excuses.add("ENOSPC");
        node.disk.faults.spaceBytes = 0;
        this.#undoAfter(fault.forMs, () => {
          delete node.disk.faults.spaceBytes;
        });
        break;
      case "wallClock":
        this.#tell(fault, node);
        node.skew.wallOffsetMs += fault.byMs;
        break;
      case "moveLeader":
        if (member === undefined || this.#cluster.leader() === undefined) return;
        this.occurred.add(fault.kind);
        this.#cluster.leader()?.moveLeader(member.id, () => {});
        break;
      case "defragment":
        if (!node.isServing()) return;
        this.occurred.add(fault.kind);
        member?.defragment(() => {});
        break;
      case "backup":
        this.#backup(node);
        break;
      default:
        this.#injectState(node, fault);
    }
  }

  /** Injects faults that change the members or their states. */
  #injectState(
    node: SimNode,
    fault: Extract<
      Fault,
      {
        readonly kind:
          | DamageKind
          | "removeMember"
          | "replaceMember"
          | "version"
          | "misapply"
          | "rotLive"
          | "stranger"
          | "wipe";
      }
    >,
  ): void {
    const { operator } = this.#parts;
    switch (fault.kind) {
      case "removeMember":
        if (operator.isChanging() || !this.#parts.atlas.mayLeave()) return;
        this.#tell(fault, node);
        operator.removeMember(node);
        break;
      case "replaceMember":
        if (!this.#mayDamage(node) || node.memberId === undefined) return;
        this.#tell(fault, node);
        node.isDamaged = true;
        node.isStateDamaged = false;
        operator.replace(node);
        break;
      case "version":
        if (node.state !== "up") return;
        this.#tell(fault, node);
        node.wantedVersion = fault.version;
        this.#cluster.stop(node);
        operator.startLater(node, 500);
        break;
      case "wipe":
        this.#wipe(node, fault);
        break;
      case "misapply":
        this.#misapply(node, fault);
        break;
      case "rotLive":
        this.#rotLive(node, fault);
        break;
      case "stranger":
        this.#forge(node, fault);
        break;
      default:
        this.#damage(node, fault);
    }
  }

  /** Only for a member that has taken part: before that, its id has nothing to forget. */
  #wipe(node: SimNode, fault: Extract<Fault, { readonly kind: "wipe" }>): void {
    if (!node.hasServed || node.state === "starting" || !this.#mayDamage(node)) return;
    this.#tell(fault, node);
    this.#cluster.loseDisk(node);
    node.config = { ...node.config, initialClusterState: fault.state };
    node.isDamaged = true;
    node.isStateDamaged = false;
    // A damaged log is gone with the disk, so the next start cannot notice it.
    node.isLogDamaged = false;
    node.hasForgotten = true;
    this.#parts.operator.startLater(node, fault.downMs);
  }

  /** The member counts as damaged from now on: the choice of the next faults depends on it. */
  #misapply(node: SimNode, fault: Fault): void {
    const { member } = node;
    if (member === undefined || !this.#mayGoWrong(node)) return;
    this.#tell(fault, node);
    const { life } = node;
    node.isHiddenDamage = true;
    this.#stateDamaged(node);
    let isArmed = true;
    const disarm = misapplyNext(node, (entry) => {
      isArmed = false;
      node.isWrong = true;
      node.isHiddenDamage = false;
      this.#parts.told("fault", `entry ${entry.index} is applied wrongly`, node);
    });
    this.#undoAfter(misapplyWithinMs, () => {
      disarm();
      if (isArmed && node.life === life) node.isHiddenDamage = false;
    });
  }

  #rotLive(node: SimNode, fault: Extract<Fault, { readonly kind: "rotLive" }>): void {
    const { member } = node;
    if (member === undefined || !this.#mayGoWrong(node)) return;
    const { row, bit } = fault;
    const spot = { bucket: Bucket.key, row, bit };
    if (node.backends.faults.flipBit(member.probe.stateName(), spot) === undefined) return;
    this.#tell(fault, node);
    node.isHiddenDamage = true;
    this.#stateDamaged(node);
  }

  #forge(node: SimNode, fault: Extract<Fault, { readonly kind: "stranger" }>): void {
    const forged = forge(node, fault.shape);
    if (forged === undefined) return;
    this.#tell(fault, node);
    node.member?.network.received(forged.from, forged.bytes);
  }

  /** True for a running member without an earlier fault, if enough other members are well. */
  #mayGoWrong(node: SimNode): boolean {
    return node.isServing() && !node.isDamaged && this.#mayDamage(node);
  }

  #stateDamaged(node: SimNode): void {
    node.isStateDamaged = !node.isDamaged || node.isStateDamaged;
    node.isDamaged = true;
    node.excuses.add("damage");
  }

  /** Turns the power off, harms the disk, and turns the power on. */
  #damage(node: SimNode, fault: Extract<Fault, { readonly kind: DamageKind }>): void {
    if (node.memberId === undefined) return;
    const isBeyond = this.#plan.swarm.isBeyondAtlas && fault.kind !== "staleBackend";
    if (!isBeyond && !this.#mayDamage(node)) return;
    // If the power failed, the log may have lost its note of the state: then the start cannot find
    // it.
    if (fault.kind === "forgedRow" && node.state !== "up") return;
    this.#tell(fault, node);
    this.#crash(node, fault.kind === "forgedRow" ? "kill" : "power", fault.downMs);
    if (damageAtRest(node, fault)) {
      if (fault.kind === "rotLog") node.isLogDamaged = true;
      node.isStateDamaged = !node.isDamaged && fault.kind !== "rotLog";
      node.isDamaged = true;
      node.excuses.add("damage");
    }
  }

  #mayDamage(node: SimNode): boolean {
    return !this.#parts.operator.isChanging() && this.#parts.atlas.mayDamage(node);
  }

  #failSync(node: SimNode, fault: Extract<Fault, { readonly kind: "failSync" }>): void {
    if (node.state !== "up") return;
    this.#tell(fault, node);
    node.excuses.add("EIO");
    const name = readSlot(node.disk);
    if (fault.what === "wal") node.disk.faults.failNextSync = true;
    else if (name !== undefined && node.backends.list().includes(name)) {
      const error = Object.assign(new Error("EIO: backend"), { code: "EIO" });
      node.backends.faults.failNextCommit(name, error);
    }
  }

  /** Reads a backup slowly while other events go on. */
  #backup(node: SimNode): void {
    if (!node.isServing()) return;
    this.occurred.add("backup");
    const { life } = node;
    node.member?.openSnapshot((source) => {
      if (source instanceof Error) return;
      const read = (): void => {
        if (node.life !== life) return;
        const piece = source.next();
        if (piece === undefined || piece instanceof Error) source.close();
        else this.#cluster.clock.at(5, read, node.place);
      };
      read();
    });
  }

  #crash(node: SimNode, mode: "power" | "kill", downMs: number): void {
    this.#cluster.crash(node, mode);
    if (node.state === "down" && node.life > 0) this.#parts.operator.startLater(node, downMs);
  }

  #cut(fault: Extract<Fault, { readonly kind: "partition" | "link" }>): void {
    this.#tell(fault);
    const places = (targets: readonly Target[]): Set<number> =>
      new Set(targets.flatMap((target) => this.#find(target)?.place ?? []));
    this.#undoAfter(fault.forMs, cutNetwork(this.#cluster, fault, places));
  }

  #undoAfter(delayMs: number, fn: () => void): void {
    const undo = (): void => {
      if (!this.#undo.delete(undo)) return;
      fn();
    };
    this.#undo.add(undo);
    this.#cluster.clock.at(delayMs, undo);
  }

  #find(target: Target): SimNode | undefined {
    const { nodes } = this.#cluster;
    if (target === "leader") return this.#cluster.leaderNode();
    if (target === "follower") {
      const leader = this.#cluster.leaderNode();
      return nodes.find((node) => node.state === "up" && node !== leader);
    }
    const node = nodes[target % nodes.length];
    return node?.state === "wiped" ? undefined : node;
  }

  #tell(fault: Fault, node?: SimNode): void {
    const { id: _id, atMs: _atMs, kind, ...rest } = fault;
    this.occurred.add(kind);
    const details = Object.entries(rest)
      .filter(([name]) => name !== "target")
      .map(([name, value]) => `${name} ${value}`);
    this.#parts.told("fault", [kind, ...details].join(", "), node);
  }
}
