/**
 * Clusters of several versions (V): the cluster's version rises only to a version that every member
 * that has published its version can serve.
 */
import { KvError } from "../../../base/errors.js";
import type { Entry } from "../../../raft/types.js";
import { isAtLeast, mayServe } from "../../../state/cluster/version.js";
import type { Applied } from "../../../state/types.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";

export class VersionChecks implements Check {
  readonly #world: CheckWorld;
  #index = 0;
  #version = "";

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  applied(node: SimNode, entry: Entry, { outcome }: Applied): void {
    if (entry.index <= this.#index || node.member === undefined) return;
    this.#index = entry.index;
    if (outcome instanceof KvError || outcome.kind !== "clusterVersion") return;
    const before = this.#version;
    const { version } = outcome;
    this.#version = version;
    if (before === "" || isAtLeast(before, version)) return;
    for (const { name, serverVersion } of node.member.machine.cluster.members()) {
      if (serverVersion === undefined || mayServe(serverVersion, version)) continue;
      const text = `the cluster rises to ${version}, member ${name} runs ${serverVersion}`;
      this.#world.report("V", text, node);
    }
  }
}
