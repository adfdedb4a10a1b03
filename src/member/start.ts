/** The entry to a member: from a platform and a configuration to something that serves. */
import type { ClusterInfo, Network, NetworkHandler } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";
import { bootMember } from "./boot.js";
import type { MemberConfig } from "./config.js";
import { answerPage } from "./etcd-checks/peer-pages.js";
import { RunningMember } from "./member.js";

/**
 * Starts a member; it takes part at once and serves when `onReady` says so. `done` is called once,
 * with a StartError or DamageError (or the disk's own error) if it cannot start; then everything
 * is let go of again.
 */
export function startMember(
  platform: Platform,
  config: MemberConfig,
  done: (result: RunningMember | Error) => void,
): void {
  let member: RunningMember | undefined;
  const handler: NetworkHandler = {
    clusterId: () => member?.clusterId ?? 0n,
    memberId: () => member?.id ?? 0n,
    incarnation: () => member?.engine.incarnations.own ?? 0n,
    greeted: (from, incarnation) => member?.engine.incarnations.greeted(from, incarnation) ?? true,
    refusedIncarnation: () => member?.engine.incarnations.refused(),
    received: (from, message) => member?.engine.received(from, message),
    unreachable: (to) => member?.engine.unreachable(to),
    clusterInfo: () => (member === undefined ? undefined : clusterInfo(member)),
    page: (request, answer) => {
      if (member !== undefined) answerPage(request, member, answer);
      else answer({ status: 503, headers: {}, body: "the member is not ready\n" });
    },
    removedFromCluster: () => member?.engine.removedFromCluster(),
    isRemoved: (id) => member?.machine.cluster.isRemoved(id) ?? false,
  };
  const network: Network = platform.connect(handler);
  bootMember({ platform, network, config }, (booted) => {
    if (booted instanceof Error) {
      network.close();
      platform.disk.close();
      done(booted);
      return;
    }
    member = new RunningMember({ platform, network, config }, booted);
    platform.log("info", "starting a member", {
      "local-member-id": member.id.toString(16),
      "cluster-id": member.clusterId.toString(16),
      "applied-index": member.machine.appliedIndex,
    });
    member.engine.start();
    done(member);
  });
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
