/**
 * What tests and the simulator may look at in a running member, and nothing else: production code never
 * uses it.
 */
import type { Divergence } from "../integrity/divergence/divergence.js";
import type { Incidents } from "../integrity/incidents/incidents.js";
import type { IntegrityMonitor } from "../integrity/monitor.js";
import type { Quarantine } from "../integrity/quarantine-file.js";
import type { Scrubber } from "../integrity/scrub/scrubber.js";
import type { Backend } from "../platform/backend.js";
import type { RaftNode } from "../raft/types.js";
import type { Machine } from "../state/types.js";
import type { RaftLog } from "../wal/raft-log.js";

export interface MemberProbe {
  readonly log: RaftLog;
  readonly scrubber: Pick<Scrubber, "scrubNow" | "stats">;
  readonly incidents: Incidents;
  readonly raft: Pick<RaftNode, "term" | "leader" | "isLeader" | "committedIndex" | "status">;
  /** What it would say of its state now; and what another member says of its own, as if it had. */
  readonly fingerprints: Pick<IntegrityMonitor, "outgoing" | "received">;
  /** A snapshot is taking the place of log and state. */
  isInstalling(): boolean;
  isStopping(): boolean;
  isInDoubt(): boolean;
  quarantine(): Quarantine | undefined;
  /** How often its state was found wrong, and how often it healed. */
  timesFound(): number;
  timesHealed(): number;
  /** The backend's name; of the wrong one, while a stand-in is in use. */
  stateName(): string;
  /** The machine in use, for faults of apply; replaced with the state. */
  machine(): Machine;
  /** The leader lacks what is committed here. */
  readonly divergence: Divergence;
  backend(): Backend;
  /** Everything up to here survives a crash without the log. */
  durableIndex(): number;
}
