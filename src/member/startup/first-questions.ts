/**
 * Asks the other members what a member with an empty data directory must know: its id, and whether
 * it took part before.
 */
import { StartError } from "../../base/errors.js";
import type { ClusterInfo, Network } from "../../platform/network.js";
import type { Platform } from "../../platform/platform.js";
import { clusterId as computeClusterId } from "../../state/cluster/ids.js";
import type { MemberConfig } from "../config.js";
import { LostDataError } from "../incarnation/lost-data.js";
import { foundingIds } from "./founding.js";

/** No member that answered knows this member: it was never added, was removed, or they lag. */
export class UnlistedMemberError extends StartError {
  constructor(name: string, peerUrls: readonly string[]) {
    super(
      `no member of the cluster has the peer URLs ${peerUrls.join(",")}: add it first (member add ${name} --peer-urls=...)`,
    );
  }
}

type Told = ClusterInfo["members"][number];

/**
 * A member with a log took part under this id before. Nobody may start with an empty log under it.
 */
export function hasTakenPart(self: Told): boolean {
  return self.name !== "" || self.incarnation !== 0n;
}

/**
 * Asks the other members for this member's id, one after the other until one knows it. Some may
 * lag, and if the cluster needs this member for its quorum, they cannot learn of its addition.
 */
export function askForSelf(
  world: { readonly network: Network; readonly config: MemberConfig },
  others: MemberConfig["initialCluster"],
  done: (found: { readonly info: ClusterInfo; readonly self: Told } | StartError) => void,
): void {
  const { network, config } = world;
  const urls = config.advertisePeerUrls;
  let problem = new StartError("no other member is named");
  const ask = (place: number): void => {
    const other = others[place];
    if (other === undefined) {
      done(problem);
      return;
    }
    network.fetchCluster(other.peerUrls, (info) => {
      const members = info instanceof Error ? [] : info.members;
      findByUrl(network, members, urls, (self) => {
        if (!(info instanceof Error) && self !== undefined) {
          done({ info, self });
          return;
        }
        // "This member is not listed" is more useful to report than "no answer".
        if (!(info instanceof Error)) {
          problem = new UnlistedMemberError(config.name, urls);
        } else if (place === 0) {
          problem = new StartError(
            `cannot learn the cluster's members from its peers (${info.message}); check --initial-cluster and that the members run`,
          );
        }
        ask(place + 1);
      });
    });
  };
  ask(0);
}

/** The member with one of these URLs, which may name the same address by another host name. */
function findByUrl(
  network: Network,
  members: readonly Told[],
  urls: readonly string[],
  done: (found: Told | undefined) => void,
): void {
  const [first, ...rest] = members;
  if (first === undefined) {
    done(undefined);
    return;
  }
  network.sharesAddress(first.peerUrls, urls, (shares) => {
    if (shares) done(first);
    else findByUrl(network, rest, urls, done);
  });
}

/**
 * A founding member that lost its data has forgotten its votes and what it acknowledged. The other
 * members know whether it ever started. If none answers, this is taken for the first start. Members
 * that answer may belong to an older cluster on the same URLs, with another token: it has other ids.
 */
export function refuseSecondBirth(
  peerUrls: readonly string[],
  world: { readonly platform: Platform; readonly network: Network; readonly config: MemberConfig },
  done: (refusal: StartError | undefined) => void,
): void {
  if (peerUrls.length === 0) {
    done(undefined);
    return;
  }
  const { network, config, platform } = world;
  network.fetchCluster(peerUrls, (info) => {
    if (info instanceof Error) {
      done(undefined);
      return;
    }
    const answer = (self: Told | undefined): void => {
      const isSecond = self !== undefined && hasTakenPart(self);
      done(isSecond ? new LostDataError(self.id, config.name) : undefined);
    };
    const ids = foundingIds(config, platform.hash);
    const own = ids[config.initialCluster.findIndex((member) => member.name === config.name)];
    const known = info.members.find((member) => member.id === own);
    const isThisCluster =
      info.clusterId === computeClusterId(ids, platform.hash.sha1) ||
      info.members.some((member) => ids.includes(member.id));
    // A member that was added later has another id, but its URLs.
    if (known !== undefined || !isThisCluster) answer(known);
    else findByUrl(network, info.members, config.advertisePeerUrls, answer);
  });
}
