/** Makes the flags of one member on this machine, as etcd and lockstep take them. */
export interface MemberPlace {
  readonly name: string;
  readonly dataDir: string;
  /** The URL where the member listens for clients. */
  readonly clientUrl: string;
  readonly peerUrl: string;
  /** The URL that it advertises, if a relay stands in between. */
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

/** Further flags with which etcd 3.4 logs and behaves as later versions do. */
export const etcd34Flags: readonly string[] = ["--logger=zap", "--enable-v2=false"];
