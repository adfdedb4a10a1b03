/**
 * Makes a plan from a seed. Every fault and every request is drawn under an address of its own kind
 * and number, so the shrinker can thin a plan out, and a developer can add a kind, without changing
 * the rest.
 *
 * The atlas: faults that destroy what a disk had promised (a flipped bit, a lost commit) may hit
 * only so few nodes that the others are a quorum, and none in a cluster too small for that. So
 * every plan is survivable, and any loss or standstill after healing is a bug. Plans beyond the
 * atlas have no such limit; there the cluster may stop, but never give a wrong answer.
 */
import { invariant } from "../../../base/invariant.js";
import { byTime, type OwnDraws, occurrences } from "../platform/address-space.js";
import { type ActionKind, type ActionSpec, type ActionSpecs, actionKinds } from "./action-kinds.js";
import { Dice } from "./dice.js";
import {
  type FaultContext,
  type FaultFields,
  type FaultSpec,
  type FaultSpecs,
  faultKinds,
} from "./fault-kinds.js";
import type { ClientAction, ClientOp, Fault, Plan, SimFaultKind, Swarm, Target } from "./plan.js";
import { drawMix, drawSwarm, type SwarmOptions } from "./swarm.js";

/** Nothing new happens in the last part, so that the end tests healing. */
const quietMs = 1_000;
const firstFaultMs = 2_000;
const firstOpMs = 500;
/** Limit of the requests of a kind that a plan can number. */
const opsOfKindMax = 10_000;

/** The kinds of faults and requests. Tests add some. */
export interface Kinds {
  readonly faults: FaultSpecs;
  readonly actions: ActionSpecs;
}

/**
 * The same plan for the same seed, options and kinds. Faults and requests are in the order of
 * time.
 */
export function generatePlan(
  seed: number,
  options: SwarmOptions,
  kinds: Kinds = { faults: faultKinds, actions: actionKinds },
): Plan {
  const dice = new Dice(seed);
  const swarm = drawSwarm(dice.fork("swarm"), options);
  const mix = drawMix(dice.fork("mix"), swarm, kinds);
  return {
    ...{ format: 1, seed, swarm },
    faults: generateFaults(dice.fork("faults"), { swarm, everyMs: mix.faultEveryMs }, kinds.faults),
    ops: generateOps(dice.fork("ops"), { swarm, everyMs: mix.opEveryMs }, kinds.actions),
  };
}

/** The nodes whose disks may break promises. */
function damageSet(dice: Dice, swarm: Swarm): readonly number[] {
  const all = Array.from({ length: swarm.members }, (_, place) => place);
  if (swarm.isBeyondAtlas) return all;
  const quorum = Math.floor(swarm.members / 2) + 1;
  const first = dice.fork("damage").int(swarm.members);
  const count = Math.min(quorum - 1, swarm.members - quorum);
  return all.slice(0, count).map((place) => (first + place) % swarm.members);
}

function generateFaults(
  dice: Dice,
  world: { readonly swarm: Swarm; readonly everyMs: ReadonlyMap<SimFaultKind, number> },
  specs: FaultSpecs,
): readonly Fault[] {
  const { swarm, everyMs: rates } = world;
  const damaged = damageSet(dice, swarm);
  const toMs = swarm.durationMs - quietMs;
  const faults: Fault[] = [];
  for (const [kind, everyMs] of rates) {
    const spec = specs[kind] as unknown as FaultSpec<FaultFields<SimFaultKind>>;
    const rhythm = { everyMs, fromMs: firstFaultMs, toMs };
    for (const own of occurrences(dice.fork(kind), rhythm)) {
      const at = faultContext(own, swarm, damaged);
      const fields = spec.draw(at);
      if (fields === undefined) continue;
      const id = `${kind}-${own.number}`;
      faults.push({ id, atMs: own.atMs, kind, ...fields } as Fault);
      for (const [place, { afterMs, ...next }] of (spec.next?.(fields, at) ?? []).entries()) {
        const atMs = own.atMs + afterMs;
        if (atMs <= toMs) faults.push({ id: `${id}-${place}`, atMs, kind, ...next } as Fault);
      }
      for (const [place, { beforeMs, ...other }] of (spec.before?.(fields, at) ?? []).entries()) {
        const atMs = own.atMs - Math.min(own.atMs, beforeMs);
        faults.push({ id: `${id}-before-${place}`, atMs, ...other } as Fault);
      }
    }
  }
  return byTime(faults);
}

function faultContext(own: OwnDraws, swarm: Swarm, damaged: readonly number[]): FaultContext {
  return {
    ...own,
    swarm,
    damaged: damaged[own.int(Math.max(1, damaged.length), 14)],
    target: (draw): Target => {
      const drawn = own.int(swarm.members + 2, draw);
      if (drawn < swarm.members) return drawn;
      return drawn === swarm.members ? "leader" : "follower";
    },
  };
}

function generateOps(
  dice: Dice,
  world: { readonly swarm: Swarm; readonly everyMs: ReadonlyMap<ActionKind, number> },
  specs: ActionSpecs,
): readonly ClientOp[] {
  const { swarm, everyMs: rates } = world;
  const ops: ClientOp[] = [];
  for (const [kind, everyMs] of rates) {
    const spec = specs[kind] as ActionSpec<object>;
    const rhythm = { everyMs, fromMs: firstOpMs, toMs: swarm.durationMs };
    for (const own of occurrences(dice.fork(kind), rhythm)) {
      invariant(own.number < opsOfKindMax, "a plan has more requests than it has numbers for");
      const [key, lease] = [own.int(swarm.keys, 10), 1 + own.int(swarm.leases, 11)];
      const fields = spec.draw({ ...own, swarm, key, lease });
      ops.push({
        id: spec.number * opsOfKindMax + own.number,
        atMs: own.atMs,
        client: own.int(swarm.clients, 3),
        member: own.int(64, 4),
        action: { kind, ...fields } as ClientAction,
      });
    }
  }
  return byTime(ops);
}
