/**
 * Draws the settings of a seed: size, constants, network, and which faults and requests occur how
 * often. Extremes are common on purpose (tiny batches, tiny segments, snapshots all the time):
 * windows that are rare in production become wide here.
 */
import type { ActionKind, ActionSpecs } from "./action-kinds.js";
import type { Dice } from "./dice.js";
import type { FaultSpecs } from "./fault-kinds.js";
import type { SimFaultKind, Swarm } from "./plan.js";

export interface Mix {
  /**
   * Mean milliseconds between two faults of a kind. Absent: the kind never occurs. Infinite: once.
   */
  readonly faultEveryMs: ReadonlyMap<SimFaultKind, number>;
  readonly opEveryMs: ReadonlyMap<ActionKind, number>;
}

export interface SwarmOptions {
  readonly isBeyondAtlas: boolean;
  /** Sets what a command line asks for. */
  readonly members: number | undefined;
}

const sizes = [1, 2, 3, 3, 3, 3, 4, 5, 5] as const;

/** The settings of a seed. Times are virtual milliseconds, those of the network microseconds. */
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
    quotaBytes: 2 ** 30,
    isBeyondAtlas: options.isBeyondAtlas,
    ...drawUsers(dice),
  };
}

/** One world in five has users; two thirds of these compact by themselves. */
function drawUsers(dice: Dice): Partial<Swarm> {
  if (dice.fork("users").int(5) > 0) return {};
  const own = dice.fork("autoCompaction");
  const mode = (["periodic", "revision", undefined] as const)[own.int(3)];
  if (mode === undefined) return { hasUsers: true };
  const retentions = mode === "periodic" ? [1_000, 5_000] : [5, 40];
  return {
    hasUsers: true,
    autoCompaction: { mode, retention: retentions[own.int(2, 1)] as number },
  };
}

/**
 * Mean milliseconds between two things of a group, for a group of average size: the sum of the
 * weights of a seed's kinds. These numbers are fixed, so that an additional kind does not make the
 * others rarer.
 */
const groups = {
  common: { everyMs: [undefined, 500, 1_000, 2_000, 2_000, 4_000], weights: 51 },
  state: { everyMs: [undefined, undefined, 3_000, 8_000], weights: 6 },
} as const;
const ops = { everyMs: [20, 50, 100, 300], weights: 48 } as const;

/** Which kinds a seed has, and how often each occurs. */
export function drawMix(
  dice: Dice,
  swarm: Swarm,
  kinds: { readonly faults: FaultSpecs; readonly actions: ActionSpecs },
): Mix {
  const faultEveryMs = new Map<SimFaultKind, number>();
  for (const [kind, spec] of Object.entries(kinds.faults)) {
    if (spec.group === "once") {
      const isThere = dice.fork("fault").fork(kind).chance(spec.weight);
      if (isThere) faultEveryMs.set(kind as SimFaultKind, Number.POSITIVE_INFINITY);
      continue;
    }
    if (spec.group === "apart") {
      const own = spec.everyMs[dice.fork("fault").fork(kind).int(spec.everyMs.length)];
      if (own !== undefined) faultEveryMs.set(kind as SimFaultKind, own);
      continue;
    }
    const { everyMs, weights } = groups[spec.group];
    const groupEveryMs = everyMs[dice.fork("every").fork(spec.group).int(everyMs.length)];
    const weight = faultWeight(dice.fork("fault").fork(kind), spec, swarm.isBeyondAtlas);
    if (groupEveryMs === undefined || weight === 0) continue;
    faultEveryMs.set(kind as SimFaultKind, (groupEveryMs * weights) / weight);
  }
  const opEveryMs = new Map<ActionKind, number>();
  const anyMs = ops.everyMs[dice.fork("opEvery").int(ops.everyMs.length)] as number;
  for (const [kind, { weight, isAlways, needsUsers }] of Object.entries(kinds.actions)) {
    if (needsUsers === true && swarm.hasUsers !== true) continue;
    const own = dice.fork("action").fork(kind);
    const times = own.int(4, 1) === 0 ? 5 : 1;
    if (isAlways !== true && own.int(3) === 0) continue;
    opEveryMs.set(kind as ActionKind, (anyMs * ops.weights) / (weight * times));
  }
  return { faultEveryMs, opEveryMs };
}

/** 0: never. Each common kind is absent from about half of the seeds, so that other kinds show. */
function faultWeight(
  dice: Dice,
  spec: {
    readonly weight: number;
    readonly group: string;
    readonly isDamage?: boolean | undefined;
  },
  isBeyondAtlas: boolean,
): number {
  if (spec.group === "state") return spec.weight;
  if (isBeyondAtlas && spec.isDamage === true) return 8;
  return dice.int(2) === 0 ? spec.weight * (1 + dice.int(4, 1)) : 0;
}
