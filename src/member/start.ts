/** The entry to a member: makes a serving member from a platform and a configuration. */

import { messageBytesMax } from "../peers/codec.js";
import type { Network, NetworkHandler } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";
import { type BeginApply, beginApply } from "../state/apply.js";
import { assembleMember } from "./assemble.js";
import type { MemberConfig } from "./config.js";
import type { RunningMember } from "./member.js";
import { ownedPlatform } from "./owned-platform.js";
import { Slowness } from "./slowness.js";
import { bootMember } from "./startup/boot.js";

/**
 * Starts a member. It takes part in the cluster at once and serves when `onReady` says so. Calls
 * `done` once. If the member cannot start, `done` gets a StartError, a DamageError or the disk's
 * own error, and all resources are released. `begin` begins to apply each entry.
 */
export function startMember(
  world: Platform,
  config: MemberConfig,
  done: (result: RunningMember | Error) => void,
  begin: BeginApply = beginApply,
): void {
  let member: RunningMember | undefined;
  /** A start ends once: through `done`, or with the first error that nobody else takes. */
  let isOver = false;
  const refused = (error: Error): void => {
    isOver = true;
    network.close();
    world.disk.close();
    done(error);
  };
  const slowness = new Slowness(world);
  const failed = (error: Error): void => {
    if (member !== undefined) member.callbackFailed(error);
    else if (isOver) throw error;
    else refused(error);
  };
  const platform = ownedPlatform(world, failed, {
    synced: (ms) => slowness.fsync.took(ms),
    committed: (ms) => slowness.commit.took(ms),
  });
  const network: Network = platform.connect(handlerOf(() => member));
  bootMember({ platform, network, config }, (booted) => {
    if (isOver) return;
    if (booted instanceof Error) {
      refused(booted);
      return;
    }
    const running = assembleMember({ platform, network, config, slowness, begin }, booted);
    member = running;
    isOver = true;
    platform.log("info", "starting a member", {
      "local-member-id": running.id.toString(16),
      "cluster-id": running.clusterId.toString(16),
      "applied-index": running.machine.appliedIndex,
    });
    try {
      running.start();
    } catch (error) {
      // `onStopped` reports the error.
      running.fail(error as Error);
    }
    done(running);
  });
}

/** While there is no member yet, messages are ignored and questions get no answer. */
function handlerOf(running: () => RunningMember | undefined): NetworkHandler {
  const network = (): NetworkHandler | undefined => running()?.network;
  return {
    clusterId: () => network()?.clusterId() ?? 0n,
    memberId: () => network()?.memberId() ?? 0n,
    peerUrls: (id) => network()?.peerUrls(id),
    locate: (id, answer) => {
      const handler = network();
      if (handler === undefined) answer(undefined);
      else handler.locate(id, answer);
    },
    located: (id, urls) => network()?.located(id, urls),
    messageBytesMax,
    incarnation: () => network()?.incarnation() ?? 0n,
    greeted: (from, incarnation) => network()?.greeted(from, incarnation) ?? true,
    refusedIncarnation: () => network()?.refusedIncarnation(),
    received: (from, message) => network()?.received(from, message),
    unreachable: (to) => network()?.unreachable(to),
    rejected: (rejection) => network()?.rejected(rejection),
    linkChanged: (id, isUp) => network()?.linkChanged(id, isUp),
    clusterInfo: () => network()?.clusterInfo(),
    page: (request, answer) => {
      const handler = network();
      if (handler !== undefined) handler.page(request, answer);
      else answer({ status: 503, headers: {}, body: "the member is not ready\n" });
    },
    removedFromCluster: () => network()?.removedFromCluster(),
    isRemoved: (id) => network()?.isRemoved(id) ?? false,
  };
}
