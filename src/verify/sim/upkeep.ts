/**
 * Other requests of operators to a member, at any moment: hashes, copies of its state that are read
 * slowly or not at all, defragmentations. Preferably at a member whose state is being replaced, or
 * that heals. Hashes of one revision must be equal, and every answer must be an allowed one.
 */

import { KvError } from "../../base/errors.js";
import type { RunningMember } from "../../member/member.js";
import type { Invariant } from "./invariants.js";
import type { Fault } from "./plan/plan.js";
import type { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

/** What an operator asks of a member. */
export type UpkeepFault = Extract<Fault, { readonly kind: "upkeep" }>;

/** Milliseconds from one piece of a copy to the next. */
const pieceMs = 20;

/**
 * The refusals that any of these may get; "corrupt" only from a member whose state is or was wrong.
 */
const usual: ReadonlySet<string> = new Set([
  "stopped",
  "compacted",
  "futureRevision",
  "tooManyViews",
  "viewTooSlow",
  "viewReplaced",
  "defragmentFailed",
]);

export interface UpkeepParts {
  readonly cluster: SimCluster;
  /** An invariant is broken. @throws Violation */
  report(invariant: Invariant, text: string, node: SimNode): void;
}

export class Upkeep {
  readonly #cluster: SimCluster;
  readonly #report: UpkeepParts["report"];
  /** Hashes of compactions, by revision and compact revision. */
  readonly #hashes = new Map<string, { readonly hash: number; readonly node: SimNode }>();

  constructor(parts: UpkeepParts) {
    this.#cluster = parts.cluster;
    this.#report = (invariant, text, node) => parts.report(invariant, text, node);
  }

  /** A member whose state is being replaced, if there is one and the plan prefers it. */
  at(fault: UpkeepFault, drawn: SimNode | undefined): SimNode | undefined {
    const inTrouble = this.#cluster.nodes.find(
      (node) => node.member?.probe.isInstalling() === true || node.isInQuarantine(),
    );
    return fault.seeksTrouble ? (inTrouble ?? drawn) : drawn;
  }

  do(fault: UpkeepFault, node: SimNode): void {
    const { member } = node;
    if (member === undefined || node.state !== "up") return;
    switch (fault.what) {
      case "hashKv": {
        const revision = Math.max(0, member.machine.kv.revision() - fault.back);
        member.hashKv(fault.back === 0 ? 0 : revision, (result) => {
          if (result instanceof KvError) this.#judge(node, fault.what, result);
          else this.#compare(node, result);
        });
        break;
      }
      case "hash":
        member.hash((result) => {
          if (result instanceof KvError) this.#judge(node, fault.what, result);
        });
        break;
      case "copy":
        this.#copy(node, member, fault);
        break;
      case "defragment":
        member.defragment((result) => {
          if (result instanceof KvError) this.#judge(node, fault.what, result);
        });
    }
  }

  /** Reads one piece after the other, or none, and gives up at the end of its time. */
  #copy(node: SimNode, member: RunningMember, fault: UpkeepFault): void {
    const { clock } = this.#cluster;
    const { life } = node;
    const untilMs = clock.now() + fault.holdMs;
    member.openSnapshot((source) => {
      if (source instanceof KvError) {
        this.#judge(node, fault.what, source);
        return;
      }
      let isOver = false;
      source.onEnd((error) => {
        isOver = true;
        this.#judge(node, fault.what, error);
      });
      const read = (): void => {
        if (node.life !== life || isOver) return;
        const piece = fault.back % 3 === 0 ? new Uint8Array(0) : source.next();
        source.touch();
        if (piece instanceof KvError) this.#judge(node, fault.what, piece);
        if (!(piece instanceof Uint8Array) || clock.now() >= untilMs) source.close();
        else clock.at(pieceMs, read, node.place);
      };
      read();
    });
  }

  #compare(
    node: SimNode,
    result: {
      readonly hash: number;
      readonly hashRevision: number;
      readonly compactRevision: number;
    },
  ): void {
    // Its state may be wrong without any member knowing it yet.
    if (node.isDamaged || node.isWrong || node.wasWrong) return;
    const { hash, hashRevision, compactRevision } = result;
    // As in etcd, the hash that a compaction left may lack a deletion at exactly its revision.
    const compactions = node.member?.machine.kv.compactions() ?? [];
    const isRemembered = compactions.some((known) => known.hashRevision === hashRevision);
    const place = `${hashRevision} above ${compactRevision}${isRemembered ? ", as its compaction left it" : ""}`;
    const known = this.#hashes.get(place);
    if (known === undefined) this.#hashes.set(place, { hash, node });
    else if (known.hash !== hash) {
      const text = `HashKV of ${place} is ${hash} at ${node.name}, ${known.hash} at ${known.node.name}`;
      this.#report("U1", text, node);
    }
  }

  #judge(node: SimNode, what: string, { reason }: KvError): void {
    if (usual.has(reason)) return;
    if (reason === "corrupt" && (node.isDamaged || node.isInQuarantine())) return;
    this.#report("U2", `${what} at ${node.name}: ${reason}`, node);
  }
}
