/** What tests and the simulator may look at in a running member. Production code never uses it. */
import type { Divergence } from "../integrity/divergence/divergence.js";
import type { Incidents } from "../integrity/incidents/incidents.js";
import type { IntegrityMonitor } from "../integrity/monitor.js";
import type { Quarantine } from "../integrity/quarantine-file.js";
import type { Scrubber } from "../integrity/scrub/scrubber.js";
import type { Backend } from "../platform/backend.js";
import type { RaftNode } from "../raft/types.js";
import type { MachineReader } from "../state/types.js";
import type { MemoryLogStorage } from "../wal/memory-log-storage.js";

export interface MemberProbe {
  readonly log: MemoryLogStorage;
  readonly scrubber: Pick<Scrubber, "scrubNow" | "stats">;
  readonly incidents: Incidents;
  readonly raft: Pick<RaftNode, "term" | "leader" | "isLeader" | "committedIndex" | "status">;
  /**
   * `outgoing` gives this member's fingerprint as it would send it. `received` handles a
   * fingerprint as if another member had sent it.
   */
  readonly fingerprints: Pick<IntegrityMonitor, "outgoing" | "received">;
  /** A snapshot is replacing log and state. */
  isInstalling(): boolean;
  isStopping(): boolean;
  isInDoubt(): boolean;
  quarantine(): Quarantine | undefined;
  /** How often the state was found wrong, and how often it healed. */
  timesFound(): number;
  timesHealed(): number;
  /** The backend's name. While a stand-in is in use: the name of the wrong backend. */
  stateName(): string;
  /** The machine in use. It changes when the state is replaced. */
  machine(): MachineReader;
  /** Entries that are committed here and missing in the leader's log. */
  readonly divergence: Divergence;
  backend(): Backend;
  /** Everything up to this index survives a crash without the log. */
  durableIndex(): number;
}
