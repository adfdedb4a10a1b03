/**
 * The kinds of faults: what each kind does to its victims, and how it ends. Faults of one lane
 * follow each other; those of different lanes overlap.
 */
import type { Clock } from "../../platform/clock.js";
import {
  clientsPlace,
  type DiskTrouble,
  type FlowShape,
  type LinkFaults,
  type Stage,
} from "../ports.js";
import { moveLeader } from "./leader.js";
import { loseMajority } from "./lose-majority.js";
import { lyingDisk } from "./lying-disk.js";
import { replaceMember } from "./replace-member.js";

export interface FaultScene {
  readonly clock: Clock;
  readonly stage: Stage;
  readonly victims: readonly string[];
  /** A number drawn with the plan. It decides what the kind of fault leaves open. */
  readonly variant: number;
  /** Adds a remark to the time line. */
  note(text: string): void;
}

/**
 * The groups that --faults takes besides single kinds. "beyond": more than any store survives; what
 * is lost must be told.
 */
export const faultGroups = ["crash", "member", "network", "clock", "disk", "beyond"] as const;
/** Faults of one lane never overlap. */
export const faultLanes = ["process", "network"] as const;

/** Ends a fault. @throws if a member does not come back */
type Heal = () => Promise<void>;

export interface FaultKindRules {
  readonly lane: (typeof faultLanes)[number];
  readonly group: (typeof faultGroups)[number];
  readonly about: string;
  /** For how many milliseconds the fault lasts: from and to. */
  readonly lastsMs: readonly [number, number];
  /** Whom the fault harms. "few": a minority, or sometimes all members. */
  readonly victims: "few" | "one" | "two" | "all";
  strike(scene: FaultScene): Promise<Heal> | Heal;
}

const flapMs = [150, 700] as const;

const rules = {
  kill: {
    ...{ lane: "process", group: "crash", about: "SIGKILL", lastsMs: [0, 2_000], victims: "few" },
    strike: async ({ stage, victims }) => {
      await all(victims, (member) => stage.kill(member));
      return () => all(victims, (member) => stage.start(member));
    },
  },
  term: {
    ...{ lane: "process", group: "crash", about: "SIGTERM", lastsMs: [0, 2_000], victims: "few" },
    strike: async ({ stage, victims }) => {
      await all(victims, (member) => stage.stop(member));
      return () => all(victims, (member) => stage.start(member));
    },
  },
  pause: {
    ...{ lane: "process", group: "crash", about: "SIGSTOP", lastsMs: [300, 4_000], victims: "few" },
    strike: ({ stage, victims }) => {
      for (const member of victims) stage.pause(member);
      return async () => {
        for (const member of victims) stage.resume(member);
      };
    },
  },
  rolling: {
    ...{ lane: "process", group: "crash", about: "rolling restart", lastsMs: [0, 0] },
    victims: "all",
    strike: async ({ stage, victims }) => {
      for (const member of victims) {
        await stage.stop(member);
        await stage.start(member);
      }
      return async () => {};
    },
  },
  "move-leader": {
    ...{ lane: "process", group: "member", about: "the leader hands over to it" },
    ...{ lastsMs: [0, 0], victims: "one" },
    strike: async ({ stage, victims, note }) => {
      const [member] = victims as readonly [string];
      note(`move-leader to ${member}: ${await moveLeader(stage, member)}`);
      return async () => {};
    },
  },
  cut: network("cut off from the others", "few", (scene, net) => {
    const ways = toOthers(scene);
    for (const [victim, other] of ways) net.cut(victim, other, true);
    return () => {
      for (const [victim, other] of ways) net.cut(victim, other, false);
    };
  }),
  "one-way": network("what it sends, or what it is sent, is lost", "few", (scene, net) => {
    const ways = toOthers(scene);
    const isDeaf = scene.variant % 2 === 0;
    return shapeAll(net, isDeaf ? ways.map(turned) : ways, { isHeld: true });
  }),
  pair: network("two members cut from each other, both see the others", "two", (scene, net) => {
    const [one, other] = scene.victims as readonly [string, string];
    net.cut(one, other, true);
    return () => net.cut(one, other, false);
  }),
  "black-hole": network("nothing arrives, no connection ends", "few", (scene, net) => {
    const ways = toOthers(scene);
    return shapeAll(net, [...ways, ...ways.map(turned)], { isHeld: true });
  }),
  flapping: network("cut and healed in turn", "few", flap),
  delay: network("packets late", "few", (scene, net) => {
    const ways = toOthers(scene);
    const delayMs = 30 + (scene.variant % 270);
    return shapeAll(net, [...ways, ...ways.map(turned)], { delayMs });
  }),
  loss: network("packets lost and sent again", "few", (scene, net) => {
    const ways = toOthers(scene);
    return shapeAll(net, [...ways, ...ways.map(turned)], { stallPerMille: 200, stallMs: 200 });
  }),
  slow: network("1 Mbit/s", "few", (scene, net) => {
    const ways = toOthers(scene);
    return shapeAll(net, [...ways, ...ways.map(turned)], { bytesPerSecond: 125_000 });
  }),
  "client-cut": network("clients cut from it", "few", ({ victims }, net) => {
    for (const victim of victims) net.cut(clientsPlace, victim, true);
    return () => {
      for (const victim of victims) net.cut(clientsPlace, victim, false);
    };
  }),
  "slow-reader": network("clients read 20 kB/s of it", "few", ({ victims }, net) => {
    const ways = victims.map((victim) => [victim, clientsPlace] as const);
    return shapeAll(net, ways, { bytesPerSecond: 20_000 });
  }),
  "torn-tail": {
    ...{ lane: "process", group: "disk", about: "killed, part of a record at the log's end" },
    ...{ lastsMs: [0, 1_000], victims: "few" },
    strike: async ({ stage, victims, note }) => {
      await all(victims, (member) => stage.kill(member));
      for (const member of victims) note(`${member}: ${stage.disks?.tearTail(member)}`);
      return () => all(victims, (member) => stage.start(member));
    },
  },
  flip: stopped("a bit of its backend flipped", ({ stage, note }, member) => {
    note(`${member}: ${stage.disks?.flipBit(member)}`);
  }),
  truncate: stopped("its backend cut to half", ({ stage, note }, member) => {
    note(`${member}: ${stage.disks?.truncate(member)}`);
  }),
  "roll-back": {
    ...{ lane: "process", group: "disk", about: "its files replaced by older ones" },
    ...{ lastsMs: [1_000, 4_000], victims: "one" },
    strike: async ({ stage, victims }) => {
      const [member] = victims as readonly [string];
      await stage.stop(member);
      stage.disks?.keep(member);
      await stage.start(member);
      return async () => {
        await stage.kill(member);
        stage.disks?.rollBack(member);
        await stage.start(member);
      };
    },
  },
  replace: {
    ...{ lane: "process", group: "disk", about: "its disk lost, then removed and added anew" },
    ...{ lastsMs: [0, 2_000], victims: "one" },
    strike: async ({ clock, stage, victims }) => {
      const [member] = victims as readonly [string];
      await stage.kill(member);
      stage.disks?.wipe(member);
      return () => replaceMember({ clock, stage, member });
    },
  },
  learner: {
    ...{
      lane: "process",
      group: "disk",
      about: "as replace, but added as a learner, then promoted",
    },
    ...{ lastsMs: [0, 2_000], victims: "one" },
    strike: async ({ clock, stage, victims }) => {
      const [member] = victims as readonly [string];
      await stage.kill(member);
      stage.disks?.wipe(member);
      return () => replaceMember({ clock, stage, member, asLearner: true });
    },
  },
  "slow-disk": {
    ...{ lane: "process", group: "disk", about: "each write to its log takes 150 ms longer" },
    ...{ lastsMs: [500, 4_000], victims: "few" },
    strike: ({ stage, victims }) => {
      for (const member of victims) stage.diskTroubles?.set(member, "slow");
      return async () => {
        for (const member of victims) stage.diskTroubles?.set(member, undefined);
      };
    },
  },
  "full-disk": troubled("no space is left on its disk, then it starts again", "full"),
  "failing-disk": troubled("writes and syncs fail with EIO, then it starts again", "failing"),
  "lying-disk": {
    ...{ lane: "process", group: "disk", about: "syncs do nothing, then the power fails" },
    ...{ lastsMs: [500, 3_000], victims: "one" },
    strike: lyingDisk,
  },
  wipe: {
    ...{ lane: "process", group: "disk", about: "its files lost, started anew, then replaced" },
    ...{ lastsMs: [0, 0], victims: "one" },
    strike: async ({ clock, stage, victims, note }) => {
      const [member] = victims as readonly [string];
      await stage.kill(member);
      stage.disks?.wipe(member);
      const isOut = await stage.endsWithoutFiles(member);
      // A member that reaches nobody cannot know that it has been one before.
      if (!isOut && stage.network !== undefined) note(`${member} runs on without its files`);
      else if (!isOut) throw new Error(`${member} lost its files and takes part under its old id`);
      stage.disks?.wipe(member);
      return () => replaceMember({ clock, stage, member });
    },
  },
  "lost-majority": {
    ...{ lane: "process", group: "beyond", about: "all but the leader get older files" },
    ...{ lastsMs: [1_000, 3_000], victims: "all" },
    strike: loseMajority,
  },
  clock: {
    ...{ lane: "process", group: "clock", about: "wall clock moved", lastsMs: [500, 3_000] },
    victims: "few",
    strike: ({ stage, victims, variant }) => {
      const offsetMs = ((variant % 2) * 2 - 1) * (1_000 + (variant % 7_200_000));
      for (const member of victims) stage.clocks?.step(member, offsetMs);
      return async () => {
        for (const member of victims) stage.clocks?.step(member, 0);
      };
    },
  },
} as const satisfies Readonly<Record<string, FaultKindRules>>;

/** A kind by its name in --faults and in plan.json. */
export type FaultKind = keyof typeof rules;
/** The rules of each kind, by its name. */
export const kindRules: Readonly<Record<FaultKind, FaultKindRules>> = rules;
export const faultKinds = Object.keys(rules) as readonly FaultKind[];

const troubles: Partial<Readonly<Record<FaultKind, DiskTrouble>>> = {
  "slow-disk": "slow",
  "full-disk": "full",
  "failing-disk": "failing",
};

/** Why this stage cannot do this kind of fault. Undefined: it can. */
export function whyNot(kind: FaultKind, stage: Stage): string | undefined {
  const { group, victims } = kindRules[kind];
  const alone = stage.members.length === 1;
  if (group === "network") {
    if (stage.network === undefined) return "there are no proxies";
    if (kind === "pair" && stage.members.length < 3) return "it needs three members";
    const isOfPeers = kind !== "client-cut" && kind !== "slow-reader";
    return alone && isOfPeers ? "a single member has no peers" : undefined;
  }
  if (group === "member") return alone ? "a single member always leads" : undefined;
  const isOfFiles = group === "disk" || group === "beyond";
  if (isOfFiles && stage.disks === undefined) return "its files cannot be reached";
  const trouble = troubles[kind];
  if (trouble !== undefined) {
    return stage.diskTroubles === undefined
      ? "what its members write cannot be reached"
      : stage.diskTroubles.whyNot(trouble);
  }
  const isOfAnyTarget = kind === "replace" || kind === "learner" || kind === "wipe";
  if (isOfFiles && !isOfAnyTarget && stage.disks?.isHealing !== true) {
    return "this target does not promise to survive it";
  }
  if (isOfFiles && (victims === "one" || victims === "all") && stage.members.length < 3) {
    return "it needs three members, so that a quorum stays whole";
  }
  if (group === "clock" && stage.clocks === undefined) {
    return "only a process of Node takes another clock (by a preloaded module)";
  }
  return undefined;
}

function network(
  about: string,
  victims: "few" | "two",
  strike: (scene: FaultScene, net: LinkFaults) => () => void,
): FaultKindRules {
  return {
    ...{ lane: "network", group: "network", about, lastsMs: [500, 5_000], victims },
    strike: (scene: FaultScene): Heal => {
      const { network: net } = scene.stage;
      if (net === undefined) throw new Error("there are no proxies");
      const heal = strike(scene, net);
      return async () => heal();
    },
  };
}

/** Stops one member, harms it, and starts it again. */
function stopped(about: string, harm: (scene: FaultScene, member: string) => void): FaultKindRules {
  return {
    ...{ lane: "process", group: "disk", about, lastsMs: [0, 1_000], victims: "one" },
    strike: async (scene: FaultScene): Promise<Heal> => {
      const [member] = scene.victims as readonly [string];
      await scene.stage.stop(member);
      harm(scene, member);
      return () => scene.stage.start(member);
    },
  };
}

/** A member that cannot write stops, and its operator starts it again when it can. */
function troubled(about: string, trouble: DiskTrouble): FaultKindRules {
  return {
    ...{ lane: "process", group: "disk", about, lastsMs: [500, 3_000], victims: "one" },
    strike: ({ stage, victims }: FaultScene): Heal => {
      const [member] = victims as readonly [string];
      stage.diskTroubles?.set(member, trouble);
      return async () => {
        stage.diskTroubles?.set(member, undefined);
        await stage.kill(member);
        await stage.start(member);
      };
    },
  };
}

type Way = readonly [string, string];
const turned = ([from, to]: Way): Way => [to, from];

/** The ways from each victim to each other member, other victims included. */
function toOthers({ stage, victims }: FaultScene): readonly Way[] {
  return victims.flatMap((victim) =>
    stage.members.filter((member) => member !== victim).map((other) => [victim, other] as const),
  );
}

function shapeAll(net: LinkFaults, ways: readonly Way[], shape: FlowShape): () => void {
  for (const [from, to] of ways) net.shape(from, to, shape);
  return () => {
    for (const [from, to] of ways) net.shape(from, to, undefined);
  };
}

function flap(scene: FaultScene, net: LinkFaults): () => void {
  const ways = toOthers(scene);
  let isOver = false;
  const set = (isCut: boolean): void => {
    for (const [victim, other] of ways) net.cut(victim, other, isCut);
  };
  const turn = (isCut: boolean, count: number): void => {
    if (isOver) return;
    set(isCut);
    const [least, most] = flapMs;
    const ms = least + ((scene.variant * (count + 1)) % (most - least));
    scene.clock.after(ms, () => turn(!isCut, count + 1));
  };
  turn(true, 0);
  return () => {
    isOver = true;
    set(false);
  };
}

async function all(
  members: readonly string[],
  act: (member: string) => Promise<void>,
): Promise<void> {
  const done = await Promise.allSettled(members.map(act));
  const failed = done.find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}
