/** The flags of one member on this machine, as etcd and lockstep take them. */
export interface MemberPlace {
  readonly name: string;
  readonly dataDir: string;
  /** Where it listens. */
  readonly clientUrl: string;
  readonly peerUrl: string;
  /** What it tells others, if something stands in between. */
  readonly advertisedClientUrl?: string;
  readonly advertisedPeerUrl?: string;
  /** "name=peerURL,..." */
  readonly initialCluster: string;
  readonly initialState: "new" | "existing";
  readonly token: string;
}

export function memberFlags(place: MemberPlace): readonly string[] {
  const { clientUrl, peerUrl } = place;
  return [
    `--name=${place.name}`,
    `--data-dir=${place.dataDir}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${place.advertisedClientUrl ?? clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${place.advertisedPeerUrl ?? peerUrl}`,
    `--initial-cluster=${place.initialCluster}`,
    `--initial-cluster-state=${place.initialState}`,
    `--initial-cluster-token=${place.token}`,
  ];
}

/** What etcd 3.4 needs beyond those to log and behave as later versions do. */
export const etcd34Flags: readonly string[] = ["--logger=zap", "--enable-v2=false"];
