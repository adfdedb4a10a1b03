/**
 * From a seed to a plan. Every fault and every request is drawn by its own number, so a plan can be
 * thinned out afterwards without changing the rest.
 *
 * The atlas: faults that destroy what a disk had promised (a flipped bit, a lost commit) may hit
 * only so few nodes that the others are a quorum, and never all of a cluster too small for that.
 * Every plan is therefore survivable, and any loss or standstill after healing is a bug. Plans
 * beyond the atlas lift this; there the cluster may stop, but never lie.
 */
import { Dice } from "./dice.js";
import { forgeries } from "./forgery.js";
import type { ClientAction, ClientOp, Fault, FaultKind, Plan, Swarm, Target } from "./plan.js";
import {
  type ActionKind,
  drawMix,
  drawSwarm,
  type Mix,
  type StateFaultKind,
  type SwarmOptions,
} from "./swarm.js";

/** Nothing new happens in the last part, so that the end is about healing. */
const quietMs = 1_000;
const firstFaultMs = 2_000;
const firstStateFault = 20_000;
const firstStranger = 40_000;
const firstWipe = 30_000;
const rollBackFault = 50_000;
const firstUpkeep = 70_000;
const upkeepKinds = ["hashKv", "hash", "copy", "copy", "defragment"] as const;
/** The one that clusters begin with, the next, and one that may only follow that. */
const versions = ["3.6.0", "3.7.0", "3.7.0", "3.8.0"] as const;

export function generatePlan(seed: number, options: SwarmOptions): Plan {
  const dice = new Dice(seed);
  const swarm = drawSwarm(dice.fork("swarm"), options);
  const mix = drawMix(dice.fork("mix"), swarm);
  return {
    format: 1,
    seed,
    swarm,
    faults: new FaultGenerator(dice.fork("faults"), swarm, mix).all(),
    ops: generateOps(dice.fork("ops"), swarm, mix),
  };
}

/** The nodes whose disks may break promises. */
export function damageSet(dice: Dice, swarm: Swarm): readonly number[] {
  const all = Array.from({ length: swarm.members }, (_, place) => place);
  if (swarm.isBeyondAtlas) return all;
  const quorum = Math.floor(swarm.members / 2) + 1;
  const first = dice.fork("damage").int(swarm.members);
  const count = Math.min(quorum - 1, swarm.members - quorum);
  return all.slice(0, count).map((place) => (first + place) % swarm.members);
}

class FaultGenerator {
  readonly #dice: Dice;
  readonly #swarm: Swarm;
  readonly #mix: Mix;
  readonly #damaged: readonly number[];

  constructor(dice: Dice, swarm: Swarm, mix: Mix) {
    this.#dice = dice;
    this.#swarm = swarm;
    this.#mix = mix;
    this.#damaged = damageSet(dice, swarm);
  }

  all(): Fault[] {
    return [
      ...this.#common(),
      ...this.#ofStates(),
      ...this.#ofDisks(),
      ...this.#ofStrangers(),
      ...this.#rollBack(),
      ...this.#upkeep(),
    ];
  }

  /** Under numbers of their own, too. */
  #ofStrangers(): Fault[] {
    const { strangerEveryMs: everyMs } = this.#mix;
    const faults: Fault[] = [];
    if (everyMs === undefined) return faults;
    let atMs = firstFaultMs;
    for (let id = firstStranger; ; id++) {
      atMs += 1 + this.#dice.int(2 * everyMs, id, 1);
      if (atMs > this.#swarm.durationMs - quietMs) return faults;
      const fault = this.#fault("stranger", id, atMs);
      if (fault !== undefined) faults.push(fault);
    }
  }

  /** In a third of the plans beyond the atlas: after it little is left to judge. */
  #rollBack(): Fault[] {
    const { isBeyondAtlas, members, durationMs } = this.#swarm;
    const id = rollBackFault;
    const int = (below: number, draw: number): number => this.#dice.int(below, id, draw);
    if (!isBeyondAtlas || members < 3 || int(3, 1) > 0) return [];
    const atMs = firstFaultMs + int(durationMs / 2, 2);
    const leaderLaterMs = int(4, 5) === 0 ? 0 : 1_000 + int(5_000, 6);
    const times = { afterMs: 200 + int(6_000, 3), downMs: 10 + int(500, 4), leaderLaterMs };
    return [{ id, atMs, kind: "rollBack", ...times }];
  }

  /** Under numbers of their own, too. */
  #upkeep(): Fault[] {
    const { upkeepEveryMs: everyMs } = this.#mix;
    const faults: Fault[] = [];
    if (everyMs === undefined) return faults;
    let atMs = firstFaultMs;
    for (let id = firstUpkeep; ; id++) {
      const int = (below: number, draw: number): number => this.#dice.int(below, id, draw);
      atMs += 1 + int(2 * everyMs, 1);
      if (atMs > this.#swarm.durationMs - quietMs) return faults;
      faults.push({
        ...{ id, atMs, kind: "upkeep", target: this.#target(id, 10) },
        what: upkeepKinds[int(upkeepKinds.length, 2)] ?? "hash",
        seeksTrouble: int(2, 3) === 0,
        back: int(3, 4) === 0 ? 0 : int(40, 5),
        holdMs: [50, 500, 5_000][int(3, 6)] ?? 0,
      });
    }
  }

  /** Under numbers of their own, so that a seed without them is what it was before they existed. */
  #ofStates(): Fault[] {
    const { stateFaultEveryMs: everyMs, stateFaults } = this.#mix;
    const faults: Fault[] = [];
    if (everyMs === undefined) return faults;
    let atMs = firstFaultMs;
    for (let id = firstStateFault; ; id++) {
      atMs += 1 + this.#dice.int(2 * everyMs, id, 1);
      if (atMs > this.#swarm.durationMs - quietMs) return faults;
      const kind = stateFaults[this.#dice.int(stateFaults.length, id, 2)] as StateFaultKind;
      const fault = this.#fault(kind, id, atMs);
      if (fault !== undefined) faults.push(fault);
    }
  }

  /** Under numbers of their own, too. */
  #ofDisks(): Fault[] {
    const { wipeEveryMs: everyMs } = this.#mix;
    const faults: Fault[] = [];
    const [target] = this.#damaged;
    if (everyMs === undefined || target === undefined) return faults;
    let atMs = firstFaultMs;
    for (let id = firstWipe; ; id += 10) {
      atMs += 1 + this.#dice.int(2 * everyMs, id, 1);
      if (atMs > this.#swarm.durationMs - quietMs) return faults;
      const int = (below: number, draw: number): number => this.#dice.int(below, id, draw);
      const state = int(2, 2) === 0 ? "new" : "existing";
      const downMs = [10, 300, 1_500][int(3, 3)] as number;
      if (int(4, 4) > 0) faults.push(...this.#beforeWipe(id, { atMs, target }));
      faults.push({ id, atMs, kind: "wipe", target, state, downMs });
    }
  }

  /** What makes it matter that the node forgot: others lag, and the leader, which does not, is down. */
  #beforeWipe(id: number, wipe: { readonly atMs: number; readonly target: number }): Fault[] {
    const { atMs, target } = wipe;
    const { members } = this.#swarm;
    const lagMs = Math.min(atMs, 200 + this.#dice.int(2_000, id, 5));
    const lagging = Math.max(1, Math.floor((members - 1) / 2));
    const side = Array.from({ length: lagging }, (_, place) => (target + 1 + place) % members);
    const forMs = lagMs + 1 + this.#dice.int(200, id, 6);
    return [
      { id: id + 1, atMs: atMs - lagMs, kind: "partition", side, direction: "both", forMs },
      { id: id + 2, atMs, kind: "crash", target: "leader", mode: "power", downMs: 6_000 },
    ];
  }

  #common(): Fault[] {
    const { faultEveryMs, faults: weights } = this.#mix;
    if (faultEveryMs === undefined) return [];
    const faults: Fault[] = [];
    let atMs = firstFaultMs;
    for (let id = 1; ; id++) {
      atMs += 1 + this.#dice.int(2 * faultEveryMs, id, 1);
      if (atMs > this.#swarm.durationMs - quietMs) return faults;
      const kind = drawWeighted(weights, this.#dice, id);
      const fault = this.#fault(kind, id, atMs);
      if (fault === undefined) continue;
      faults.push(fault);
      if (fault.kind === "version") faults.push(...this.#rolling(fault));
    }
  }

  /** Half of the changes of version go on, member by member, as operators do it. */
  #rolling(first: Extract<Fault, { readonly kind: "version" }>): Fault[] {
    if (this.#dice.int(2, first.id, 30) === 0) return [];
    const lastMs = this.#swarm.durationMs - quietMs;
    return Array.from({ length: this.#swarm.members }, (_, place) => ({
      ...first,
      id: 10_000 + 16 * first.id + place,
      atMs: first.atMs + (1 + place) * 1_500,
      target: place,
    })).filter(({ atMs }) => atMs <= lastMs);
  }

  #fault(kind: FaultKind, id: number, atMs: number): Fault | undefined {
    const int = (below: number, draw: number): number => this.#dice.int(below, id, draw);
    const at = { id, atMs };
    const target = this.#target(id, 10);
    const downMs = [10, 300, 1_500, 6_000][int(4, 11)] as number;
    const forMs = 100 + int(6_000, 12);
    const mode = int(3, 13) === 0 ? "kill" : "power";
    const damaged = this.#damaged[int(Math.max(1, this.#damaged.length), 14)];
    switch (kind) {
      case "crash":
        return { ...at, kind, target, mode, downMs };
      case "crashAll":
        return { ...at, kind, mode, downMs };
      case "stop":
        return { ...at, kind, target, downMs };
      case "pause":
        return { ...at, kind, target, forMs };
      case "partition":
        return { ...at, ...this.#partition(id, forMs) };
      case "link": {
        const lossPerMille = [1000, 1000, 300, 0][int(4, 17)] as number;
        const extraMs = lossPerMille === 0 ? 50 + int(1_000, 18) : 0;
        return {
          ...at,
          kind,
          from: target,
          to: this.#target(id, 19),
          lossPerMille,
          extraMs,
          forMs,
        };
      }
      case "slowDisk":
        return { ...at, kind, target, syncMs: 20 + int(1_500, 18), forMs };
      case "failSync":
        return { ...at, kind, target, what: int(2, 15) === 0 ? "wal" : "backend", downMs };
      case "fullDisk":
        return { ...at, kind, target, forMs };
      case "rotLog": {
        // Mostly near the end: what the backend does not hold yet only the log can forget.
        const place = int(4, 17) === 0 ? int(1_000_000, 15) : 1_000_000 - 1 - int(50_000, 15);
        const spot = { place, bit: int(8, 16) };
        return damaged === undefined
          ? undefined
          : { ...at, kind, target: damaged, downMs, ...spot };
      }
      case "rotRow": {
        const spot = { row: int(1_000, 15), bit: int(4_000, 16) };
        return damaged === undefined
          ? undefined
          : { ...at, kind, target: damaged, downMs, ...spot };
      }
      case "misdirect": {
        const row = int(1_000, 15);
        return damaged === undefined ? undefined : { ...at, kind, target: damaged, downMs, row };
      }
      case "staleBackend":
        return damaged === undefined ? undefined : { ...at, kind, target: damaged, downMs };
      case "wallClock":
        return { ...at, kind, target, byMs: int(20_000, 15) - 10_000 };
      case "moveLeader":
        return { ...at, kind, to: target };
      case "defragment":
      case "backup":
      case "removeMember":
      case "replaceMember":
        return { ...at, kind, target };
      case "addMember":
        return { ...at, kind, asLearner: int(2, 15) === 0 };
      case "version":
        return { ...at, kind, target, version: versions[int(versions.length, 15)] as string };
      case "stranger":
        return { ...at, kind, target, shape: int(forgeries, 15) };
      case "wipe":
      case "rollBack":
      case "upkeep":
        // Drawn apart.
        return undefined;
      default:
        return damaged === undefined ? undefined : this.#stateFault(kind, at, { damaged, downMs });
    }
  }

  #stateFault(
    kind: StateFaultKind,
    at: { readonly id: number; readonly atMs: number },
    on: { readonly damaged: number; readonly downMs: number },
  ): Fault {
    const int = (below: number, draw: number): number => this.#dice.int(below, at.id, draw);
    const { downMs } = on;
    const target = on.damaged;
    const row = int(1_000, 15);
    switch (kind) {
      case "misapply":
        return { ...at, kind, target };
      case "extraRow":
      case "forgedRow":
        return { ...at, kind, target, row, downMs };
      case "lostRow":
        return { ...at, kind, target, bucket: int(2, 17) === 0 ? 0 : int(6, 16), row, downMs };
      case "wrongIndex":
        return { ...at, kind, target, by: 1 + int(1_000, 15), downMs };
      case "rotLive":
        return { ...at, kind, target, row, bit: int(4_000, 16) };
    }
  }

  #partition(
    id: number,
    forMs: number,
  ): Omit<Extract<Fault, { kind: "partition" }>, "id" | "atMs"> {
    const int = (below: number, draw: number): number => this.#dice.int(below, id, draw);
    const kind = "partition";
    if (int(4, 30) === 0) {
      // Long enough for a successor to serve, while clients still ask the old leader.
      return { kind, side: ["leader"], direction: "both", forMs: 2_000 + int(6_000, 31) };
    }
    const direction = (["both", "both", "in", "out"] as const)[int(4, 15)] ?? "both";
    const size = 1 + int(Math.max(1, Math.floor(this.#swarm.members / 2)), 16);
    const side = Array.from({ length: size }, (_, place) => this.#target(id, 20 + place));
    return { kind, side, direction, forMs };
  }

  #target(id: number, draw: number): Target {
    const drawn = this.#dice.int(this.#swarm.members + 2, id, draw);
    if (drawn < this.#swarm.members) return drawn;
    return drawn === this.#swarm.members ? "leader" : "follower";
  }
}

function drawWeighted<T>(weights: ReadonlyMap<T, number>, dice: Dice, id: number): T {
  let total = 0;
  for (const weight of weights.values()) total += weight;
  let left = dice.int(total, id, 2);
  for (const [item, weight] of weights) {
    left -= weight;
    if (left < 0) return item;
  }
  throw new Error("no weights");
}

function generateOps(dice: Dice, swarm: Swarm, mix: Mix): ClientOp[] {
  const ops: ClientOp[] = [];
  let atMs = 500;
  for (let id = 1; ; id++) {
    atMs += 1 + dice.int(2 * mix.opEveryMs, id, 1);
    if (atMs > swarm.durationMs) return ops;
    ops.push({
      id,
      atMs,
      client: dice.int(swarm.clients, id, 3),
      member: dice.int(64, id, 4),
      action: action(drawWeighted(mix.actions, dice, id), dice, { id, swarm }),
    });
  }
}

function action(
  kind: ActionKind,
  dice: Dice,
  at: { readonly id: number; readonly swarm: Swarm },
): ClientAction {
  const int = (below: number, draw: number): number => dice.int(below, at.id, draw);
  const key = int(at.swarm.keys, 10);
  const lease = 1 + int(at.swarm.leases, 11);
  switch (kind) {
    case "put":
      return int(4, 12) === 0 ? { kind, key, lease } : { kind, key };
    case "get":
      return { kind, key, serializable: int(4, 12) === 0 };
    case "list":
      return {
        kind,
        back: int(2, 12) === 0 ? 0 : int(30, 13),
        limit: int(3, 14) === 0 ? 1 + int(4, 15) : 0,
        serializable: int(4, 16) === 0,
      };
    case "delete":
    case "cas":
      return { kind, key };
    case "deleteFrom":
      return { kind, key, count: 1 + int(4, 12) };
    case "txn":
      return { kind, key, shape: int(1 << 16, 12) };
    case "compact":
      return { kind, back: int(3, 13) === 0 ? int(3, 12) : int(40, 12) };
    case "grant":
      return { kind, lease, ttl: 2 + int(8, 12) };
    case "revoke":
    case "keepAlive":
      return { kind, lease };
    case "watch":
      return {
        kind,
        key: int(3, 12) === 0 ? -1 : key,
        back: int(2, 13) === 0 ? 0 : int(40, 14) - 10,
        prevKv: int(3, 15) === 0,
        filter: (["none", "none", "none", "put", "delete"] as const)[int(5, 16)] ?? "none",
        forMs: 1_000 + int(15_000, 17),
        stallMs: int(4, 18) === 0 ? 200 + int(5_000, 19) : 0,
      };
  }
}
