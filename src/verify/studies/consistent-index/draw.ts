/**
 * Draws a plan from a seed: the log, the size of batches, how often each actor commits, and then,
 * step by step, which actor moves. Rates differ between seeds, so that some seeds are quiet and
 * others have many commits.
 */
import type { Rng } from "../../../platform/rng.js";
import { createSeededRng } from "../../sim/platform/seeded-rng.js";
import type { StudyEntry } from "./log-entry.js";
import {
  type ActorName,
  type Choice,
  type DesignName,
  type Hazards,
  never,
  type StudyPlan,
} from "./plan.js";
import type { Chooser } from "./run.js";

const entriesMin = 6;
const entriesMax = 20;
/** Far above the steps of any run; only a member that never finishes reaches it. */
const stepsMax = 2_000;
const keys = ["a", "b", "c", "d"];

/** A plan without choices; `chooserOf` with the same seed makes them. */
export function drawPlan(seed: number, design: DesignName, hazards: Hazards): StudyPlan {
  const rng = createSeededRng(seed).fork("plan");
  const length = entriesMin + rng.int(entriesMax - entriesMin + 1);
  const log: StudyEntry[] = [];
  while (log.length < length) log.push(drawEntry(rng, log, hazards));
  const batchLimit = rng.int(2) === 0 ? never : 3 + rng.int(10);
  const snapshotEvery = rng.int(3) === 0 ? 3 + rng.int(6) : never;
  return { format: 1, design, hazards, log, batchLimit, snapshotEvery, choices: [] };
}

function drawEntry(rng: Rng, log: readonly StudyEntry[], hazards: Hazards): StudyEntry {
  const lease = 1 + rng.int(3);
  switch (rng.int(12)) {
    case 0:
      return { kind: "failedTxn" };
    case 1:
      return { kind: "rejected" };
    case 2:
      return { kind: "leaseGrant", lease };
    case 3: {
      const leases = hazards.twoSections ? [lease, lease + 1] : [lease];
      return { kind: "leaseCheckpoint", leases, left: 10 + log.length };
    }
    case 4:
      return { kind: "auth" };
    case 5: {
      const puts = log.filter((entry) => entry.kind === "put").length;
      return { kind: "compaction", revision: 1 + rng.int(puts + 1) };
    }
    case 6:
      return { kind: "alarm", member: 1 + rng.int(3) };
    case 7:
      return { kind: "confChange", member: 1 + rng.int(5) };
    default:
      return { kind: "put", key: keys[rng.int(keys.length)] as string };
  }
}

/** The order in which the actors of seed `seed` move. */
export function chooserOf(seed: number): Chooser {
  const rng = createSeededRng(seed).fork("schedule");
  const weights: Readonly<Record<ActorName, number>> = {
    apply: 40,
    ticker: 1 + rng.int(12),
    worker: 1 + rng.int(12),
    backup: rng.int(3),
    defrag: rng.int(3),
  };
  const crashes = rng.int(4) === 0;
  let steps = 0;
  return (ready): Choice | undefined => {
    if (++steps > stepsMax) return undefined;
    if (crashes && rng.int(60) === 0) return "crash";
    const total = ready.reduce((sum, name) => sum + weights[name], 0);
    if (total === 0) return ready[0];
    let draw = rng.int(total);
    for (const name of ready) {
      draw -= weights[name];
      if (draw < 0) return name;
    }
    return undefined;
  };
}
