/**
 * Draws what kind of world a seed is: size, constants, weather, and which faults and requests occur
 * at what rate. Extremes are common on purpose (tiny batches, tiny segments, snapshots all the
 * time): rare windows of production become wide here.
 */
import type { Dice } from "./dice.js";
import type { FaultKind, Swarm } from "./plan.js";

export interface Mix {
  /** Mean milliseconds between two faults; undefined: none at all. */
  readonly faultEveryMs: number | undefined;
  /** Relative frequency; absent: never. */
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Of faults of the state, which are drawn apart: most seeds have none. */
  readonly stateFaultEveryMs: number | undefined;
  readonly stateFaults: readonly StateFaultKind[];
  /** Mean milliseconds between two messages of strangers; undefined: none at all. */
  readonly strangerEveryMs: number | undefined;
  /** Of lost disks, drawn apart too: most seeds have none. */
  readonly wipeEveryMs: number | undefined;
  /** Of what operators ask besides; drawn apart, too. */
  readonly upkeepEveryMs: number | undefined;
  readonly opEveryMs: number;
  readonly actions: ReadonlyMap<ActionKind, number>;
}

export type ActionKind = import("./plan.js").ClientAction["kind"];

export interface SwarmOptions {
  readonly isBeyondAtlas: boolean;
  /** Fixes what a command line asks for. */
  readonly members: number | undefined;
}

const sizes = [1, 2, 3, 3, 3, 3, 4, 5, 5] as const;

export function drawSwarm(dice: Dice, options: SwarmOptions): Swarm {
  const pick = <T>(label: string, from: readonly T[]): T =>
    from[dice.fork(label).int(from.length)] as T;
  const delayMinUs = pick("delayMin", [200, 500, 1_000, 5_000]);
  const electionMs = pick("election", [500, 1_000, 1_000]);
  return {
    members: options.members ?? pick("members", sizes),
    clients: 1 + dice.fork("clients").int(5),
    keys: pick("keys", [1, 2, 4, 8, 12]),
    leases: pick("leases", [1, 2, 4]),
    durationMs: 30_000,
    weather: {
      delayMinUs,
      delayMaxUs: delayMinUs * pick("delayMax", [1, 2, 4, 10]),
      lossPerMille: pick("loss", [0, 0, 0, 10, 50]),
      duplicatePerMille: pick("duplicate", [0, 0, 10, 50]),
      isOrdered: pick("ordered", [true, true, false]),
      noticeMs: pick("notice", [100, 500, 3_000]),
    },
    syncMinUs: pick("syncMin", [50, 500, 2_000]),
    syncMaxUs: pick("syncMax", [2_000, 5_000, 20_000]),
    driftPerMille: pick("drift", [0, 1, 10]),
    electionMs,
    heartbeatMs: electionMs / 10,
    snapshotCount: pick("snapshotCount", [8, 20, 60, 200]),
    snapshotCatchupEntries: pick("catchup", [1, 5, 20]),
    backendBatchMs: pick("batchMs", [5, 50, 100, 400]),
    backendBatchLimit: pick("batchLimit", [1, 3, 20, 1_000]),
    compactionBatchLimit: pick("compactionBatch", [1, 3, 20]),
    applySliceUnits: pick("applySlice", [1, 2, 5, 1_000]),
    applyPauseMs: pick("applyPause", [0, 1, 20]),
    applyEventsMax: pick("applyEvents", [1, 3, 1_000]),
    walSegmentBytes: pick("segment", [2_048, 8_192, 65_536]),
    progressNotifyMs: pick("progress", [200, 1_000, 10_000]),
    quotaBytes: 0,
    isBeyondAtlas: options.isBeyondAtlas,
  };
}

const commonFaults: readonly FaultKind[] = [
  "crash",
  "crash",
  "pause",
  "partition",
  "partition",
  "link",
  "slowDisk",
  "moveLeader",
];
const rareFaults: readonly FaultKind[] = [
  "crashAll",
  "stop",
  "failSync",
  "fullDisk",
  "wallClock",
  "defragment",
  "backup",
  "addMember",
  "removeMember",
  "replaceMember",
  "version",
];
/** Allowed on few nodes of a plan only: see plan-generator.ts. */
const damageFaults: readonly FaultKind[] = ["rotLog", "rotRow", "misdirect", "staleBackend"];

/** What makes one member's state wrong: allowed on the same few nodes. */
const stateFaults = [
  "misapply",
  "extraRow",
  "lostRow",
  "forgedRow",
  "wrongIndex",
  "rotLive",
] as const;
export type StateFaultKind = (typeof stateFaults)[number];

export function drawMix(dice: Dice, swarm: Swarm): Mix {
  const faults = new Map<FaultKind, number>();
  for (const kind of [...commonFaults, ...rareFaults, ...damageFaults]) {
    const weight = commonFaults.includes(kind) ? 4 : kind === "version" ? 3 : 1;
    // Each kind is absent from about half of the seeds, so that others are not drowned.
    if (dice.fork(kind).int(2) === 0) faults.set(kind, weight * (1 + dice.fork(kind).int(4, 1)));
  }
  if (swarm.isBeyondAtlas) for (const kind of damageFaults) faults.set(kind, 8);
  const everyMs = [undefined, 500, 1_000, 2_000, 2_000, 4_000] as const;
  const actions = new Map<ActionKind, number>();
  const weights: readonly (readonly [ActionKind, number])[] = [
    ["put", 8],
    ["get", 4],
    ["list", 3],
    ["delete", 2],
    ["deleteFrom", 1],
    ["cas", 3],
    ["txn", 3],
    ["compact", 1],
    ["grant", 1],
    ["keepAlive", 2],
    ["revoke", 1],
    ["watch", 1],
  ];
  for (const [kind, weight] of weights) {
    const isAlways = kind === "put" || kind === "get" || kind === "watch";
    const often = dice.fork("often").fork(kind).int(4) === 0 ? 5 : 1;
    if (isAlways || dice.fork("action").fork(kind).int(3) > 0) actions.set(kind, weight * often);
  }
  const strangerEveryMs = [undefined, undefined, 500, 3_000] as const;
  const wipeEveryMs = [undefined, undefined, undefined, 8_000] as const;
  const stateEveryMs = [undefined, undefined, 3_000, 8_000] as const;
  const upkeepEveryMs = [undefined, 300, 1_200] as const;
  return {
    upkeepEveryMs: upkeepEveryMs[dice.fork("upkeepEvery").int(upkeepEveryMs.length)],
    stateFaultEveryMs: stateEveryMs[dice.fork("stateEvery").int(stateEveryMs.length)],
    stateFaults,
    strangerEveryMs: strangerEveryMs[dice.fork("strangers").int(strangerEveryMs.length)],
    wipeEveryMs: wipeEveryMs[dice.fork("wipeEvery").int(wipeEveryMs.length)],
    faultEveryMs: everyMs[dice.fork("every").int(everyMs.length)],
    faults: faults.size === 0 ? new Map([["crash", 1]]) : faults,
    opEveryMs: [20, 50, 100, 300][dice.fork("opEvery").int(4)] as number,
    actions,
  };
}
