/** All checks of a run. The run calls them here, and here they report. */
import { decodeEnvelope } from "../../../peers/codec.js";
import { decodeMessage } from "../../../raft/codec/message-codec.js";
import type { Entry } from "../../../raft/types.js";
import type { Applied, MachineReader } from "../../../state/types.js";
import type { Operation, Request } from "../../history/types.js";
import type { ShownToUser } from "../clients/user-clients.js";
import type { Invariant } from "../invariants.js";
import type { Swarm } from "../plan/plan.js";
import type { SimCluster } from "../sim-cluster.js";
import type { SimNode } from "../sim-node.js";
import { Violation } from "../violation.js";
import type { Check, CheckWorld } from "./check.js";
import { CompactionChecks } from "./compaction-checks.js";
import { Ghost } from "./ghost.js";
import type { HistoryFinding } from "./history-checks.js";
import { ImageChecks } from "./image-checks.js";
import { IntegrityChecks } from "./integrity-checks.js";
import { LeaseChecks } from "./lease-checks.js";
import { LossChecks } from "./loss-checks.js";
import { MembershipChecks } from "./membership-checks.js";
import { MemoryChecks } from "./memory-checks.js";
import { PromiseChecks } from "./promise-checks.js";
import { QuorumChecks } from "./quorum-checks.js";
import { RaftChecks } from "./raft-checks.js";
import { RightsChecks } from "./rights-checks.js";
import { SpaceChecks } from "./space-checks.js";
import { StateChecks } from "./state-checks.js";
import { VersionChecks } from "./version-checks.js";

export class AllChecks {
  readonly ghost = new Ghost();
  /** The first violation that a check reported. */
  #found: Violation | undefined;
  readonly #without: ReadonlySet<string>;
  readonly #all: readonly Check[];
  /** The invariants that still hold after a majority was rolled back. */
  readonly #afterLoss: readonly Check[];
  readonly #machines = new WeakSet<MachineReader>();
  #samples = 0;

  /** `without`: invariants that do not report, to show that each is needed. */
  constructor(
    cluster: SimCluster,
    without: ReadonlySet<string>,
    swarm: Pick<Swarm, "autoCompaction">,
  ) {
    this.#without = without;
    const dice = cluster.dice.fork("checks");
    const world: CheckWorld = {
      cluster,
      ghost: this.ghost,
      sample: (perMille) => dice.chance(perMille, ++this.#samples),
      report: (invariant, text, node) => this.report(invariant, text, node),
    };
    this.#afterLoss = [new LossChecks(world)];
    this.#all = [
      ...this.#afterLoss,
      new RaftChecks(world),
      new PromiseChecks(world),
      new QuorumChecks(world),
      new MembershipChecks(world),
      new StateChecks(world),
      new MemoryChecks(world),
      new VersionChecks(world),
      new SpaceChecks(world),
      new ImageChecks(world),
      new LeaseChecks(world),
      new RightsChecks(world),
      new CompactionChecks(world, swarm.autoCompaction),
      // The last check, because the others need to know which members are found to be wrong.
      new IntegrityChecks(world),
    ];
  }

  #active(): readonly Check[] {
    return this.ghost.isRolledBack ? this.#afterLoss : this.#all;
  }

  /** Reports an error in the history of clients. @throws Violation */
  reportSeen({ invariant, text, place }: HistoryFinding): void {
    if (!this.#without.has(invariant)) throw new Violation(invariant, text, { place });
  }

  /** @throws Violation */
  report(invariant: Invariant, text: string, node?: SimNode): void {
    if (this.#without.has(invariant)) return;
    // A Violation thrown inside a member looks to the member like a bug of its own, and may cost
    // only one request.
    this.#found ??= new Violation(invariant, text, { node: node?.name });
    throw this.#found;
  }

  /** Call it outside of members. @throws the Violation that was reported inside one */
  seen(): void {
    if (this.#found !== undefined) throw this.#found;
  }

  stepped(node: SimNode): void {
    this.seen();
    const { member } = node;
    if (member === undefined) return;
    const machine = member.probe.machine();
    if (!this.#machines.has(machine)) this.#newState(node, machine);
    for (const check of this.#active()) check.stepped?.(node);
  }

  applied(node: SimNode, machine: MachineReader, entry: Entry, applied: Applied): void {
    // A state that took another's place within this turn: `stepped` looks at it as a whole.
    if (!this.#machines.has(machine)) return;
    for (const check of this.#active()) check.applied?.(node, entry, applied);
  }

  starting(node: SimNode): void {
    for (const check of this.#active()) check.starting?.(node);
  }

  started(node: SimNode): void {
    const { member } = node;
    if (member === undefined) return;
    this.#newState(node, member.probe.machine());
  }

  ended(node: SimNode, how: "power" | "kill" | "stop" | "error"): void {
    for (const check of this.#active()) check.ended?.(node, how);
  }

  sent(from: SimNode, bytes: Uint8Array): void {
    const envelope = decodeEnvelope(bytes);
    if (envelope?.kind !== "raft") return;
    const message = decodeMessage(envelope.message);
    for (const check of this.#active()) check.sent?.(from, message);
  }

  synced(node: SimNode, what: "wal" | "backend"): void {
    for (const check of this.#active()) check.synced?.(node, what);
  }

  served(node: SimNode, path: string): void {
    for (const check of this.#active()) check.served?.(node, path);
  }

  shown(node: SimNode, shown: ShownToUser): void {
    for (const check of this.#active()) check.shown?.(node, shown);
  }

  asked(request: Request): void {
    for (const check of this.#active()) check.asked?.(request);
  }

  answered(operation: Operation): void {
    for (const check of this.#active()) check.answered?.(operation);
  }

  finished(): void {
    for (const check of this.#active()) check.finished?.();
  }

  /** Called for a new machine: after a start, a snapshot or a defragmentation. */
  #newState(node: SimNode, machine: MachineReader): void {
    this.#machines.add(machine);
    for (const check of this.#active()) check.started?.(node);
  }
}
