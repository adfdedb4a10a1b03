/** What a monitor may do to its member's state, log, raft and peers (create-monitor.ts wires it). */

import type { Peers } from "../peers/peers.js";
import type { Clock } from "../platform/clock.js";
import type { Disk } from "../platform/disk.js";
import type { LogPoint, RaftNode } from "../raft/types.js";
import type { MachineReader } from "../state/types.js";
import type { RequestField } from "../wire/proposal.js";
import type { DivergenceParts } from "./divergence/divergence.js";
import type { Incidents } from "./incidents/incidents.js";
import type { HealerParts } from "./repair/healer.js";

export interface MonitorParts
  extends Pick<HealerParts, "firstIndex" | "fetch" | "request">,
    Pick<DivergenceParts, "entries" | "isStopped" | "letGo" | "log"> {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly selfId: bigint;
  readonly electionMs: number;
  /** See Arbiter. */
  readonly stopsCluster: boolean;
  readonly peers: Pick<Peers, "serve">;
  /** Tells people what happened. */
  readonly incidents: Incidents;
  raft(): RaftNode;
  machine(): MachineReader;
  backendName(): string;
  proposeAsLeader(field: RequestField, body: Uint8Array): void;
  /** Replaces the wrong state by a stand-in without keys at the same index. */
  standIn(): void;
  /**
   * Replaces the stand-in by the state that `fetch` got, after that has applied everything that the
   * stand-in has.
   */
  adopt(
    index: number,
    record: (machine: MachineReader) => void,
    done: (error: Error | undefined) => void,
  ): void;
  /** Freezes the applied state for a member that heals. */
  offer(done: (offer: { readonly manifest: Uint8Array; readonly index: number }) => void): void;
  checkSelf(done: (isSound: boolean) => void): void;
  /** False: raft hears nothing about whether this member may lead. */
  mayLead(isAllowed: boolean): void;
  handOver(): void;
  /**
   * Raft sends that member nothing more and takes nothing from it. If it is this member, raft takes
   * nothing from others.
   */
  contradicted(member: bigint, committed: LogPoint): void;
  /** Call when the quarantine began or ended. */
  changed(): void;
  unixMs(): number;
  /** The member must stop, because its disk refuses a write that cannot wait. */
  failed(error: Error): void;
}
