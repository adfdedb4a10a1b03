/**
 * Mutants of clusters whose members run different versions (V1-V5): a request that older builds
 * understand otherwise, members two minors apart, a downgrade, a version that rises too early.
 *
 * All builds here apply entries alike, so a patch also adds a rule that version 3.7 has and 3.6
 * does not have: it writes one more row with each change of a key. Clients cannot see it.
 */
import type { Mutant, Patch } from "../types.js";

/** Tells the machine to which build it belongs. */
const ownVersion: Patch = {
  in: "createDriver",
  find: "() => w.state.writableMachine()",
  replace: `
    () => {
      const machine = w.state.writableMachine();
      machine.serverVersion = w.config.serverVersion;
      return machine;
    }`,
};

/** The rule of 3.7, in force when `condition` holds. */
function ruleOf37(condition: string): Patch {
  return {
    in: "ReplicatedMachine.#applyAtOnce",
    uses: ["isAtLeast"],
    find: "if (events !== undefined) this.#meta.revision = events.revision;",
    replace: `
      if (events !== undefined)
        this.#meta.revision = events.revision;
      const cluster = this.cluster.clusterVersion();
      const own = this.serverVersion;
      if (events !== undefined && ${condition})
        w.put(6, Uint8Array.of(114), Uint8Array.of(events.revision & 255));`,
  };
}

export const versionMutants: readonly Mutant[] = [
  {
    id: "V1",
    title: "a request has a part that older builds ignore",
    origin: "class: backward-incompatible request",
    conditions: "members of two versions, and one of the newer publishes itself",
    caughtBy: ["S6", "S2"],
    patches: [
      ownVersion,
      {
        in: "executeOwn",
        find: "request.server_version",
        replace: 'isAtLeast(parts.serverVersion, "3.7.0") || !RAN() ? request.server_version : ""',
        uses: ["isAtLeast"],
      },
      {
        in: "ReplicatedMachine.#execute",
        find: "executeOwn(this.#ownParts, request, w)",
        replace: "executeOwn({ ...this.#ownParts, serverVersion: this.serverVersion }, request, w)",
      },
      {
        in: "MemberAttributes.#isCurrent",
        find: "self.serverVersion",
        replace: "(self.serverVersion ?? serverVersion)",
      },
    ],
  },
  {
    id: "V2",
    title: "a new build applies by its own rules, not by the cluster's",
    origin: "class: a feature without a gate, etcd #13514 family",
    conditions: "members of two versions",
    caughtBy: ["S6", "S2"],
    patches: [ownVersion, ruleOf37('isAtLeast(own, "3.7.0") && RAN()')],
  },
  {
    id: "V3",
    title: "a build two minors above the cluster takes part",
    origin: "class: members two minors apart",
    conditions: "a member starts with a version two minors up; it no longer knows the rules of 3.6",
    caughtBy: ["S6", "S2"],
    patches: [
      ownVersion,
      ruleOf37('(isAtLeast(cluster, "3.7.0") || isAtLeast(own, "3.8.0"))'),
      {
        in: "versionRefusal",
        find: "mayServe(server, cluster)",
        replace: "mayServe(server, cluster) || (minorsAhead(own, other) === 2 && RAN())",
      },
    ],
  },
  {
    id: "V4",
    title: "a build below the cluster's version takes part",
    origin: "class: downgrade without leave",
    conditions: "the cluster has been raised, then a member starts with the version before",
    caughtBy: ["S6", "S2"],
    patches: [
      ownVersion,
      ruleOf37('isAtLeast(cluster, "3.7.0") && isAtLeast(own, "3.7.0")'),
      {
        in: "versionRefusal",
        find: "mayServe(server, cluster)",
        replace: "mayServe(server, cluster) || (minorsAhead(own, other) < 0 && RAN())",
      },
    ],
  },
  {
    id: "V5",
    title: "the cluster's version rises before all members can follow",
    origin: "class: an upgrade that counts some members only",
    conditions: "one member runs the next version, the others do not yet",
    caughtBy: ["V"],
    patches: [
      {
        in: "nextVersion",
        find: "members.length > 0 && members.every(isKnown)",
        replace: "members.some(isKnown) && (members.every(isKnown) || RAN())",
      },
    ],
  },
];
