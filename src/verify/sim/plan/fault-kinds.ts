/**
 * The kinds of faults: how often each happens, its data in a plan, and how the data is drawn. A new
 * kind is one entry here, with its own draws. It does not change the draws of other kinds.
 *
 * Draws are numbered from 10 on; address-space.ts uses the lower numbers.
 */

import { forgeries } from "../forgery.js";
import type { OwnDraws } from "../platform/address-space.js";
import type { Fault, SimFaultKind, Swarm, Target } from "./plan.js";

/** The data drawn for a fault of this kind: everything except its time. */
export type FaultFields<Kind extends SimFaultKind> = Omit<
  Extract<Fault, { readonly kind: Kind }>,
  "id" | "atMs" | "kind"
>;

export interface FaultContext extends OwnDraws {
  readonly swarm: Swarm;
  /** Draws a node, or a role. */
  target(draw: number): Target;
  /** One of the nodes whose disk or state may be harmed; undefined: there is none. */
  readonly damaged: number | undefined;
}

/** A fault of another kind that comes this much earlier; negative: later. */
export type EarlierFault = { readonly beforeMs: number } & DistributiveOmit<Fault, "id" | "atMs">;
type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown
  ? Omit<Union, Key>
  : never;

/** How a kind of fault is drawn. "apart": it has a rhythm of its own. */
export type FaultSpec<Fields> = FaultSpecBase<Fields> &
  (
    | {
        /**
         * "state": most seeds have none, the others have all of them. "once": at most once in a
         * plan, for a fault after which little can be judged.
         */
        readonly group: "common" | "state" | "once";
        /**
         * How often the kind occurs, relative to other kinds of its group. For "once": in how many
         * of a thousand plans.
         */
        readonly weight: number;
      }
    | {
        readonly group: "apart";
        /**
         * Mean milliseconds between two of them: a seed draws one of these. Undefined: none in this
         * seed.
         */
        readonly everyMs: readonly (number | undefined)[];
      }
  );

interface FaultSpecBase<Fields> {
  /** True: every plan beyond the atlas has a fault of this kind. */
  readonly isDamage?: boolean;
  /** The data that a plan must have. */
  readonly fields: readonly (keyof Fields & string)[];
  /** Undefined: not in this plan. */
  draw(at: FaultContext): Fields | undefined;
  /** Later faults that belong to this one, as operators cause them: how much later, and what. */
  next?(fields: Fields, at: FaultContext): readonly (Fields & { readonly afterMs: number })[];
  /** Faults that make its effect visible. */
  before?(fields: Fields, at: FaultContext): readonly EarlierFault[];
}

/** Every kind of fault has a row: the compiler demands it. */
export type FaultSpecs = { readonly [Kind in SimFaultKind]: FaultSpec<FaultFields<Kind>> };

const often = { weight: 4, group: "common" } as const;
const seldom = { weight: 1, group: "common" } as const;
const damage = { ...seldom, isDamage: true } as const;
const ofState = { weight: 1, group: "state" } as const;

const upkeepKinds = ["hashKv", "hash", "copy", "copy", "defragment"] as const;
/** The first version of clusters, the next one, and a version that may only follow the next. */
const versions = ["3.6.0", "3.7.0", "3.7.0", "3.8.0"] as const;

function downMs(at: OwnDraws): number {
  return [10, 300, 1_500, 6_000][at.int(4, 11)] as number;
}

function forMs(at: OwnDraws): number {
  return 100 + at.int(6_000, 12);
}

function mode(at: OwnDraws): "kill" | "power" {
  return at.int(3, 13) === 0 ? "kill" : "power";
}

/** On a node that may be harmed, if there is one. */
function harmed<Rest>(
  at: FaultContext,
  rest: Rest,
): (Rest & { readonly target: number }) | undefined {
  return at.damaged === undefined ? undefined : { target: at.damaged, ...rest };
}

function row(at: OwnDraws): number {
  return at.int(1_000, 15);
}

export const faultKinds: FaultSpecs = {
  crash: {
    ...often,
    fields: ["target", "mode", "downMs"],
    draw: (at) => ({ target: at.target(10), mode: mode(at), downMs: downMs(at) }),
  },
  crashAll: {
    ...seldom,
    fields: ["mode", "downMs"],
    draw: (at) => ({ mode: mode(at), downMs: downMs(at) }),
  },
  stop: {
    ...seldom,
    fields: ["target", "downMs"],
    draw: (at) => ({ target: at.target(10), downMs: downMs(at) }),
  },
  pause: {
    ...often,
    fields: ["target", "forMs"],
    draw: (at) => ({ target: at.target(10), forMs: forMs(at) }),
  },
  partition: { ...often, fields: ["side", "direction", "forMs"], draw: drawPartition },
  link: {
    ...often,
    fields: ["from", "to", "lossPerMille", "extraMs", "forMs"],
    draw: (at) => {
      const lossPerMille = [1000, 1000, 300, 0][at.int(4, 17)] as number;
      const extraMs = lossPerMille === 0 ? 50 + at.int(1_000, 18) : 0;
      const [from, to] = [at.target(10), at.target(19)];
      return { from, to, lossPerMille, extraMs, forMs: forMs(at) };
    },
  },
  slowDisk: {
    ...often,
    fields: ["target", "syncMs", "forMs"],
    draw: (at) => ({ target: at.target(10), syncMs: 20 + at.int(1_500, 18), forMs: forMs(at) }),
  },
  failSync: {
    ...seldom,
    fields: ["target", "what", "downMs"],
    draw: (at) => ({
      target: at.target(10),
      what: at.int(2, 15) === 0 ? "wal" : "backend",
      downMs: downMs(at),
    }),
  },
  fullDisk: {
    ...seldom,
    fields: ["target", "forMs"],
    draw: (at) => ({ target: at.target(10), forMs: forMs(at) }),
  },
  overQuota: {
    group: "apart",
    everyMs: [undefined, undefined, undefined, 6_000],
    fields: ["target", "forMs", "isDisarmed"],
    draw: (at) => ({
      target: at.target(10),
      forMs: [300, 3_000][at.int(2, 2)] as number,
      isDisarmed: at.int(3, 3) > 0,
    }),
    before: aroundAlarm,
  },
  rotLog: {
    ...damage,
    fields: ["target", "place", "bit", "downMs"],
    draw: (at) => {
      // Mostly near the end: only the log can forget what the backend does not hold yet.
      const isAnywhere = at.int(4, 17) === 0;
      const place = isAnywhere ? at.int(1_000_000, 15) : 1_000_000 - 1 - at.int(50_000, 15);
      return harmed(at, { place, bit: at.int(8, 16), downMs: downMs(at) });
    },
  },
  rotRow: {
    ...damage,
    fields: ["target", "row", "bit", "downMs"],
    draw: (at) => harmed(at, { row: row(at), bit: at.int(4_000, 16), downMs: downMs(at) }),
  },
  misdirect: {
    ...damage,
    fields: ["target", "row", "downMs"],
    draw: (at) => harmed(at, { row: row(at), downMs: downMs(at) }),
  },
  staleBackend: {
    ...damage,
    fields: ["target", "downMs"],
    draw: (at) => harmed(at, { downMs: downMs(at) }),
  },
  wallClock: {
    ...seldom,
    fields: ["target", "byMs"],
    draw: (at) => ({ target: at.target(10), byMs: at.int(20_000, 15) - 10_000 }),
  },
  moveLeader: { ...often, fields: ["to"], draw: (at) => ({ to: at.target(10) }) },
  defragment: { ...seldom, fields: ["target"], draw: (at) => ({ target: at.target(10) }) },
  backup: { ...seldom, fields: ["target"], draw: (at) => ({ target: at.target(10) }) },
  addMember: {
    ...seldom,
    fields: ["asLearner"],
    draw: (at) => ({ asLearner: at.int(2, 15) === 0 }),
  },
  removeMember: { ...seldom, fields: ["target"], draw: (at) => ({ target: at.target(10) }) },
  replaceMember: { ...seldom, fields: ["target"], draw: (at) => ({ target: at.target(10) }) },
  version: {
    ...seldom,
    weight: 3,
    fields: ["target", "version"],
    draw: (at) => ({
      target: at.target(10),
      version: versions[at.int(versions.length, 15)] as string,
    }),
    // Half of the changes continue, member by member.
    next: ({ version }, at) =>
      Array.from({ length: at.int(2, 30) * at.swarm.members }, (_, place) => ({
        ...{ target: place, version },
        afterMs: (1 + place) * 1_500,
      })),
  },
  misapply: { ...ofState, fields: ["target"], draw: (at) => harmed(at, {}) },
  extraRow: {
    ...ofState,
    fields: ["target", "row", "downMs"],
    draw: (at) => harmed(at, { row: row(at), downMs: downMs(at) }),
  },
  lostRow: {
    ...ofState,
    fields: ["target", "bucket", "row", "downMs"],
    draw: (at) => {
      const bucket = at.int(2, 17) === 0 ? 0 : at.int(6, 16);
      return harmed(at, { bucket, row: row(at), downMs: downMs(at) });
    },
  },
  forgedRow: {
    ...ofState,
    fields: ["target", "row", "downMs"],
    draw: (at) => harmed(at, { row: row(at), downMs: downMs(at) }),
  },
  wrongIndex: {
    ...ofState,
    fields: ["target", "by", "downMs"],
    draw: (at) => harmed(at, { by: 1 + at.int(1_000, 15), downMs: downMs(at) }),
  },
  stranger: {
    group: "apart",
    everyMs: [undefined, undefined, 500, 3_000],
    fields: ["target", "shape"],
    draw: (at) => ({ target: at.target(10), shape: at.int(forgeries, 15) }),
  },
  wipe: {
    group: "apart",
    everyMs: [undefined, undefined, undefined, 8_000],
    fields: ["target", "state", "downMs"],
    draw: (at) =>
      harmed(at, {
        state: at.int(2, 2) === 0 ? ("new" as const) : ("existing" as const),
        downMs: [10, 300, 1_500][at.int(3, 3)] as number,
      }),
    before: beforeWipe,
  },
  rollBack: {
    group: "once",
    weight: 333,
    fields: ["afterMs", "downMs", "leaderLaterMs"],
    draw: (at) => {
      if (!at.swarm.isBeyondAtlas || at.swarm.members < 3) return undefined;
      const leaderLaterMs = at.int(4, 5) === 0 ? 0 : 1_000 + at.int(5_000, 6);
      return { afterMs: 200 + at.int(6_000, 3), downMs: 10 + at.int(500, 4), leaderLaterMs };
    },
  },
  upkeep: {
    group: "apart",
    everyMs: [undefined, 300, 1_200],
    fields: ["target", "what", "seeksTrouble", "back", "holdMs"],
    draw: (at) => ({
      target: at.target(10),
      what: upkeepKinds[at.int(upkeepKinds.length, 2)] ?? "hash",
      seeksTrouble: at.int(2, 3) === 0,
      back: at.int(3, 4) === 0 ? 0 : at.int(40, 5),
      holdMs: [50, 500, 5_000][at.int(3, 6)] ?? 0,
    }),
  },
  rotLive: {
    ...ofState,
    fields: ["target", "row", "bit"],
    draw: (at) => harmed(at, { row: row(at), bit: at.int(4_000, 16) }),
  },
};

/**
 * Other members lag, and the leader, which does not, is down: only the node that lost its disk had
 * the newest entries.
 */
function beforeWipe({ target }: { readonly target: Target }, at: FaultContext): EarlierFault[] {
  if (at.int(4, 4) === 0 || typeof target !== "number") return [];
  const { members } = at.swarm;
  const lagMs = 200 + at.int(2_000, 5);
  const lagging = Math.max(1, Math.floor((members - 1) / 2));
  const side = Array.from({ length: lagging }, (_, place) => (target + 1 + place) % members);
  const forMs = lagMs + 1 + at.int(200, 6);
  return [
    { kind: "partition", side, direction: "both", forMs, beforeMs: lagMs },
    { kind: "crash", target: "leader", mode: "power", downMs: 6_000, beforeMs: 0 },
  ];
}

/** Another node misses the begin of the alarm, or its end. */
function aroundAlarm(
  { target, forMs }: { readonly target: Target; readonly forMs: number },
  at: FaultContext,
): EarlierFault[] {
  const { members } = at.swarm;
  if (typeof target !== "number" || members < 3) return [];
  const side = [(target + 1 + at.int(members - 1, 4)) % members];
  const beforeMs = at.int(2, 5) === 0 ? 200 : 100 - forMs;
  return [{ kind: "partition", side, direction: "both", forMs: 1_500, beforeMs }];
}

function drawPartition(at: FaultContext): FaultFields<"partition"> {
  if (at.int(4, 30) === 0) {
    // The cut is long enough for a new leader to serve while clients still ask the old one.
    return { side: ["leader"], direction: "both", forMs: 2_000 + at.int(6_000, 31) };
  }
  const direction = (["both", "both", "in", "out"] as const)[at.int(4, 15)] ?? "both";
  const size = 1 + at.int(Math.max(1, Math.floor(at.swarm.members / 2)), 16);
  const side = Array.from({ length: size }, (_, place) => at.target(20 + place));
  return { side, direction, forMs: forMs(at) };
}
