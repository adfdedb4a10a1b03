/**
 * One place where a member lives: what a crash leaves behind (disk and backends), and the life on
 * it. A life ends with a crash, a stop or an error; callbacks of an ended life do nothing.
 */
import type { Method } from "../../grpc/call.js";
import type { MemberConfig } from "../../member/config.js";
import type { RunningMember } from "../../member/member.js";
import { createMemoryBackendStore, type MemoryBackendStore } from "./memory-backend.js";
import { MemoryDisk } from "./memory-disk.js";
import type { ClockSkew } from "./sim-clock.js";

/** "wiped": will never start again. */
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
  /** Known since the member's first start. */
  memberId: bigint | undefined;
  /** The version of the program at the next start. */
  wantedVersion: string | undefined;
  methods: ReadonlyMap<string, Method> = new Map();
  state: NodeState = "down";
  life = 0;
  /** Completions of the disk so far: addresses their latencies. */
  ioCount = 0;
  /** Times that disk and backends were plugged in anew. */
  plugs = 0;
  extraSyncMs = 0;
  failure: Error | undefined;
  /** Errors that injected faults explain: "EIO", "ENOSPC", "damage". */
  readonly excuses = new Set<string>();
  /** Faults have broken what this disk promised; the node needs to be replaced before it counts. */
  isDamaged = false;
  /** Damaged, but only its state: the member heals by itself. */
  isStateDamaged = false;
  /** It was ready once, in this or an earlier life. */
  hasServed = false;
  /** The state in use was made wrong, and nothing but a comparison with others can tell. */
  isWrong = false;
  /** It was wrong, and what was wrong was deleted since: it may still be found guilty of it. */
  wasWrong = false;
  /** Damaged while it runs, or about to be: being right now says nothing. */
  isHiddenDamage = false;
  /** A bit of its log has flipped that was durable. */
  isLogDamaged = false;

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

  /** Its state was found to be wrong and is not right again: it is a stand-in, which proves nothing. */
  isInQuarantine(): boolean {
    return this.member?.probe.quarantine() !== undefined;
  }

  /** It entered quarantine: whatever was done to its state is known. */
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
