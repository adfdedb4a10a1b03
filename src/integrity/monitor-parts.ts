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
  readonly peers: Peers;
  /** What happened, for people. */
  readonly incidents: Incidents;
  raft(): RaftNode;
  machine(): MachineReader;
  backendName(): string;
  proposeAsLeader(field: RequestField, body: Uint8Array): void;
  /** Puts a state without keys in the place of the wrong one, at the same index. */
  standIn(): void;
  /** Puts what `fetch` got in its place, with all applied that the stand-in has. */
  adopt(
    index: number,
    record: (machine: MachineReader) => void,
    done: (error: Error | undefined) => void,
  ): void;
  /** Freezes the applied state: for a member that heals. */
  offer(done: (offer: { readonly manifest: Uint8Array; readonly index: number }) => void): void;
  checkSelf(done: (isSound: boolean) => void): void;
  /** False: raft is not told whether it may lead. */
  mayLead(isAllowed: boolean): void;
  handOver(): void;
  /** Raft gives that member nothing more and takes nothing from it; if it is us: no more of others. */
  contradicted(member: bigint, committed: LogPoint): void;
  /** The quarantine began or ended. */
  changed(): void;
  unixMs(): number;
  /** The member must stop: its disk refuses what cannot wait. */
  failed(error: Error): void;
}
