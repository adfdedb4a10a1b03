/**
 * One place where a member lives: the data that a crash leaves (disk and backends), and the life on
 * it. A life ends with a crash, a stop or an error; callbacks of an ended life do nothing.
 */
import type { Method } from "../../grpc/call.js";
import type { MemberConfig } from "../../member/config.js";
import type { RunningMember } from "../../member/member.js";
import type { Entry } from "../../raft/types.js";
import type { MachineReader } from "../../state/types.js";
import { createMemoryBackendStore, type MemoryBackendStore } from "./platform/memory-backend.js";
import { MemoryDisk } from "./platform/memory-disk.js";
import type { ClockSkew } from "./platform/sim-clock.js";

/** Returns the entry that a member applies in place of `entry`, or `entry` itself. */
export type ApplyBug = (machine: MachineReader, entry: Entry) => Entry;

/** "wiped": the node will never start again. */
export type NodeState = "down" | "starting" | "up" | "stopping" | "wiped";

export class SimNode {
  readonly name: string;
  readonly place: number;
  readonly peerUrl: string;
  config: MemberConfig;
  readonly skew: ClockSkew;
  disk: MemoryDisk = new MemoryDisk(() => {});
  backends: MemoryBackendStore = createMemoryBackendStore({ defer: () => {} });
  member: RunningMember | undefined;
  /** Undefined until the member's first start. */
  memberId: bigint | undefined;
  /** The version of the program at the next start. */
  wantedVersion: string | undefined;
  methods: ReadonlyMap<string, Method> = new Map();
  state: NodeState = "down";
  life = 0;
  /** How many completions the disk has had: the addresses of their latencies. */
  ioCount = 0;
  /** How often disk and backends were opened again. */
  plugs = 0;
  extraSyncMs = 0;
  /** Until then, in microseconds of the cluster's clock, its backend may be over its quota. */
  overQuotaUntilUs = 0;
  failure: Error | undefined;
  /** Bugs of the member that runs, the newest first. */
  applyBugs: ApplyBug[] = [];
  /** Errors that injected faults explain: "EIO", "ENOSPC", "damage". */
  readonly excuses = new Set<string>();
  /** Faults have broken what this disk promised; the node does not count until it is replaced. */
  isDamaged = false;
  /** Damaged, but only in its state: the member heals by itself. */
  isStateDamaged = false;
  /** The member was ready once, in this or an earlier life. */
  hasServed = false;
  /** The state in use was made wrong, and only a comparison with others can find it. */
  isWrong = false;
  /** The state was wrong, and the wrong part was deleted since: members may still find it wrong. */
  wasWrong = false;
  /** Damaged while it runs, or about to be: a right state now means nothing. */
  isHiddenDamage = false;
  /** A durable bit of its log has flipped. */
  isLogDamaged = false;
  /** Its files were lost once: with them went what it had promised under its id. */
  hasForgotten = false;

  constructor(name: string, place: number, setting: { config: MemberConfig; skew: ClockSkew }) {
    this.name = name;
    this.place = place;
    this.peerUrl = `http://${name}:2380`;
    this.config = setting.config;
    this.skew = setting.skew;
  }

  isServing(): boolean {
    return this.state === "up" && this.member?.isReady() === true && !this.isInQuarantine();
  }

  /**
   * Its state was found to be wrong and is not right again: it is a stand-in, so comparing it means
   * nothing.
   */
  isInQuarantine(): boolean {
    return this.member?.probe.quarantine() !== undefined;
  }

  /** The member entered quarantine: the cluster knows of every fault of its state. */
  found(): void {
    this.isWrong = false;
    this.wasWrong = false;
    this.isHiddenDamage = false;
  }

  /** A right state is in use again. */
  healed(): void {
    if (!this.isStateDamaged || this.isHiddenDamage) return;
    this.isStateDamaged = false;
    this.isDamaged = false;
  }
}
