/**
 * The four designs of keeping the consistent index, as text and as actors. The page prints the
 * text; the scheduler runs the actors.
 */
import { boltActors, type IndexRule } from "./bolt-actors.js";
import type { Rows } from "./log-entry.js";
import { type Counters, type MemberModel, startModel } from "./member-model.js";
import type { DesignName, StudyPlan } from "./plan.js";
import type { Actor } from "./step.js";
import { BoltStore, UnitStore } from "./store.js";
import { unitActors } from "./unit-actors.js";

export interface Design {
  readonly name: DesignName;
  readonly origin: string;
  /** How it works, one sentence a line. */
  readonly how: readonly string[];
  /** What it gets wrong and why. */
  readonly weakness: readonly string[];
}

/** In the order of history. */
export const designs: readonly Design[] = [
  {
    name: "oldest",
    origin: "etcd 3.4 (as before 3.4.8)",
    how: [
      "Each change of a key writes the index itself, between the same lock and unlock as the key.",
      "No commit can fall between the two, and nobody else ever writes the index.",
    ],
    weakness: [
      "Every module has to remember to do it. Leases, alarms, members and (until 3.4.8) users did",
      "not: after a crash such an entry is applied a second time. For a lease that is harmless; for",
      "the auth revision it counts twice, and this member then refuses what others accept (#11651).",
    ],
  },
  {
    name: "enhanced",
    origin: "etcd 3.5.0 to 3.5.2",
    how: [
      "No module has to remember anything: the apply loop keeps the index in a variable, and a hook",
      "writes that variable at every commit, whoever commits.",
    ],
    weakness: [
      "The variable is set before the entry takes the lock. A commit in this gap saves an index whose",
      "entry has not written yet. After a crash the entry is skipped: it is lost, for good, on this",
      "member alone, and nothing reports it (#13766).",
    ],
  },
  {
    name: "final",
    origin: "etcd 3.5.3 and later (the hook in defragmentation since 3.5.6)",
    how: [
      "A second variable takes the index first. Only the lock that the entry's write takes copies it",
      "to the one that the hook reads, so whoever can see the new index also sees the entry's rows.",
    ],
    weakness: [
      "It holds as long as each entry writes in exactly one section. That is a rule for people, not",
      "for the compiler: an entry with two sections can be cut in the middle, and is then not replayed.",
    ],
  },
  {
    name: "lockstep",
    origin: "this server",
    how: [
      "An entry gathers its rows in a handle of its own. Closing the handle adds the row with index",
      "and digests, and gives everything to the backend in one write that is kept whole or not at all.",
    ],
    weakness: [
      "There is no index in memory to pick up too early, no hook to forget and no second section. The",
      "price is one small row more in each write.",
    ],
  },
];

const rules: Readonly<Record<Exclude<DesignName, "lockstep">, IndexRule>> = {
  oldest: { beforeLock: "memory", savesWithKeys: true, hasHook: false },
  enhanced: { beforeLock: "memory", savesWithKeys: false, hasHook: true },
  final: { beforeLock: "applying", savesWithKeys: false, hasHook: true },
};

/** A member that starts on `image`, and its actors. */
export interface Life {
  readonly member: MemberModel;
  readonly actors: readonly Actor[];
}

/** Starts a member of the plan's design. `before`: what the life before it left. */
export function startLife(
  plan: StudyPlan,
  image: Rows,
  before: { readonly counters: Counters; readonly snapshotIndex: number },
): Life {
  if (plan.design === "lockstep") {
    const member = startModel(plan, new UnitStore(image), before);
    return { member, actors: unitActors(member) };
  }
  const member = startModel(plan, new BoltStore(image), before);
  return { member, actors: boltActors(member, rules[plan.design]) };
}
