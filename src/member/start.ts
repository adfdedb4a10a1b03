/** The entry to a member: from a platform and a configuration to something that serves. */

import { messageBytesMax } from "../peers/codec.js";
import type { ClusterInfo, Network, NetworkHandler } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";
import type { MemberConfig } from "./config.js";
import { RunningMember } from "./member.js";
import { ownedPlatform } from "./owned-platform.js";
import { answerPage } from "./peer-pages.js";
import { bootMember } from "./startup/boot.js";

/**
 * Starts a member; it takes part at once and serves when `onReady` says so. `done` is called once,
 * with a StartError or DamageError (or the disk's own error) if it cannot start; then everything
 * is let go of again.
 */
export function startMember(
  world: Platform,
  config: MemberConfig,
  done: (result: RunningMember | Error) => void,
): void {
  let member: RunningMember | undefined;
  /** A start ends once: by `done`, or by the first error that nobody else took. */
  let isOver = false;
  const refused = (error: Error): void => {
    isOver = true;
    network.close();
    world.disk.close();
    done(error);
  };
  const platform = ownedPlatform(world, (error) => {
    if (member !== undefined) member.callbackFailed(error);
    else if (isOver) throw error;
    else refused(error);
  });
  const network: Network = platform.connect(handlerOf(() => member));
  bootMember({ platform, network, config }, (booted) => {
    if (isOver) return;
    if (booted instanceof Error) {
      refused(booted);
      return;
    }
    const running = new RunningMember({ platform, network, config }, booted);
    member = running;
    isOver = true;
    platform.log("info", "starting a member", {
      "local-member-id": running.id.toString(16),
      "cluster-id": running.clusterId.toString(16),
      "applied-index": running.machine.appliedIndex,
    });
    try {
      running.engine.start();
    } catch (error) {
      // `onStopped` tells.
      running.fail(error as Error);
    }
    done(running);
  });
}

/** What arrives from other members. A message or a request that fails costs itself, not the member. */
function handlerOf(running: () => RunningMember | undefined): NetworkHandler {
  return {
    clusterId: () => running()?.clusterId ?? 0n,
    memberId: () => running()?.id ?? 0n,
    peerUrls: (id) => running()?.engine.links.urlsOf(id),
    locate: (id, answer) => {
      const member = running();
      if (member === undefined) answer(undefined);
      else member.engine.links.locate(id, answer);
    },
    located: (id, urls) => running()?.engine.links.located(id, urls),
    messageBytesMax,
    incarnation: () => running()?.engine.incarnations.own ?? 0n,
    greeted: (from, incarnation) =>
      running()?.engine.incarnations.greeted(from, incarnation) ?? true,
    refusedIncarnation: () => running()?.engine.incarnations.refused(),
    received: (from, message) => {
      const member = running();
      try {
        member?.engine.received(from, message);
      } catch (error) {
        member?.requestFailed(error);
      }
    },
    unreachable: (to) => running()?.engine.unreachable(to),
    rejected: (rejection) => running()?.engine.guard.rejected(rejection),
    linkChanged: (id, isUp) => running()?.engine.guard.linkChanged(id, isUp),
    clusterInfo: () => {
      const member = running();
      return member === undefined ? undefined : clusterInfo(member);
    },
    page: (request, answer) => {
      const member = running();
      if (member === undefined) {
        answer({ status: 503, headers: {}, body: "the member is not ready\n" });
        return;
      }
      try {
        answerPage(request, member, answer);
      } catch (error) {
        const { message } = member.requestFailed(error);
        answer({ status: 503, headers: {}, body: `${message}\n` });
      }
    },
    removedFromCluster: () => running()?.engine.removedFromCluster(),
    isRemoved: (id) => running()?.machine.cluster.isRemoved(id) ?? false,
  };
}

/** What a member that wants to join must know; only members that know the cluster answer. */
function clusterInfo(member: RunningMember): ClusterInfo | undefined {
  const { cluster } = member.machine;
  const members = cluster.members();
  if (members.length === 0) return undefined;
  const { incarnations } = member.engine;
  return {
    clusterId: member.clusterId,
    clusterVersion: cluster.clusterVersion(),
    members: members.map((known) => ({
      ...known,
      incarnation: incarnations.incarnationOf(known.id),
    })),
  };
}
